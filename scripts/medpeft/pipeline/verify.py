"""Whether what a study has belongs to its settings, and to the code, data and packages at hand.

Snakemake's plan says what is missing, and which jobs have other settings, inputs or code than when they ran. The ledger
(see `medpeft.pipeline.ledger`) says whether files are still what jobs read and wrote, byte for byte.
"""

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medpeft.base.errors import UserError
from medpeft.base.files import read_json, read_table
from medpeft.base.imports import UNCOUNTED
from medpeft.pipeline.ledger import FOLDER, entry_of, files_in
from medpeft.statistics.evaluate import evaluate

# What is not asked, in words for the user.
NOT_ASKED = (
    "the scripts that fetch archives and weights, for what they fetched is checked itself",
    f"code that decides no result: {', '.join(sorted(UNCOUNTED))}",
    "the keys mirror, checksums, largest_image and accept, which decide where archives come from and what is refused",
)
# What the scores of a run follow from.
SCORED: dict[str, Callable[[Path], Any]] = {
    "predictions.csv": read_table,
    "record.json": read_json,
    "validation_predictions.csv": read_table,
}
CURRENT = "no update"  # what a plan says of a file that is as it would be made


@dataclass(frozen=True)
class Planned:
    """A file of the study, as Snakemake's summary of its plan has it.

    Attributes:
        file: That a job writes.
        log: Of the job that wrote it, empty where Snakemake does not know.
        status: What is wrong with it, or `ok`.
        current: Whether Snakemake would leave it as it is.
    """

    file: str
    log: str
    status: str
    current: bool


def plan(command: list[str]) -> list[Planned]:
    """Return the files of a study, from the summary that a Snakemake `command` prints.

    Raises:
        UserError: Snakemake cannot plan the study.
    """
    result = subprocess.run([*command, "--summary"], capture_output=True, text=True, check=False)
    if result.returncode:
        last = result.stderr.strip().rpartition("\n")[2]
        raise UserError(f"the study cannot be planned: {last or f'Snakemake ended with status {result.returncode}'}")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    head = next(number for number, line in enumerate(lines) if line[0] == "output_file")
    rows = [dict(zip(lines[head], line, strict=True)) for line in lines[head + 1 :] if len(line) == len(lines[head])]
    return [
        Planned(row["output_file"], row["log-file(s)"].strip("-"), row["status"], row["plan"] == CURRENT)
        for row in rows
    ]


def doubts(planned: Iterable[Planned], versions: dict[str, str], digest: Callable[[str], str]) -> dict[str, str]:
    """Return what speaks against files of a study, by file; nothing where each belongs to what is at hand.

    Args:
        planned: The files that the study is to have.
        versions: Of the packages at hand.
        digest: Returns the SHA-256 of a file, relative to the working directory.
    """
    found: dict[str, str] = {}
    jobs: dict[str, list[str]] = {}
    for file in planned:
        if reason := _reason(file):
            found[file.file] = reason
        else:
            jobs.setdefault(file.log, []).append(file.file)
    entries = {log: entry_of(log) for log in jobs}
    for log, files in jobs.items():
        found |= _doubts_of_job(entries[log], files, versions, digest)
    return found | _made_of(found, jobs, entries)


def _reason(file: Planned) -> str | None:
    """Return what speaks against a file by Snakemake's plan alone."""
    if not Path(file.file).exists():
        return "is missing"
    if not file.log:
        return "is not known to Snakemake, which keeps in .snakemake/metadata how files were made"
    if not file.current:
        status = "what it is made of has changed" if file.status == "ok" else file.status
        return f"is not what would be made now ({status})"
    return None


def _made_of(
    doubted: dict[str, str], jobs: dict[str, list[str]], entries: dict[str, dict[str, Any] | None]
) -> dict[str, str]:
    """Return what was made of files that are doubted, of what was made of these, and so on, and is not doubted yet.

    Args:
        doubted: Why, by file.
        jobs: The planned files that each job wrote, by its log.
        entries: What each job left in the ledger, by its log.
    """
    readers: dict[str, list[str]] = {}
    for log, entry in entries.items():
        for path in entry["inputs"] if entry else ():
            readers.setdefault(path, []).append(log)
    found: dict[str, str] = {}
    pending = [*doubted, *(str(file) for path in doubted for file in files_in(Path(path)))]  # of folders, their files
    while pending:
        source = pending.pop()
        for log in readers.pop(source, ()):
            fresh = [file for file in jobs[log] if file not in doubted and file not in found]
            found |= dict.fromkeys(fresh, f"was made from {source}, which does not belong here")
            pending += (entries[log] or {})["outputs"]
    return found


def _doubts_of_job(
    entry: dict[str, Any] | None, files: list[str], versions: dict[str, str], digest: Callable[[str], str]
) -> dict[str, str]:
    """Return what speaks against the files of the job that left this `entry` in the ledger."""
    if entry is None:
        return dict.fromkeys(files, "has no record of how it was made, or the record was changed")
    found = {
        file: f"was made with {name} {version}, and {versions.get(name, 'none')} is here"
        for name, version in entry["packages"].items()
        if versions.get(name) != version
        for file in files
    }
    for path, value in (entry["inputs"] | entry["outputs"]).items():
        state = _state(path, value, digest)
        if state:
            made = path in entry["outputs"]
            found |= {path: f"{state} since it was made"} if made else dict.fromkeys(files, f"{path} {state} since")
    return found


def _state(path: str, expected: str, digest: Callable[[str], str]) -> str | None:
    """Return what has become of a file whose SHA-256 was `expected`, None where it is the same."""
    try:
        return None if digest(path) == expected else "has changed"
    except FileNotFoundError:
        return "is gone"


def doubts_of_scores(folders: Iterable[Path]) -> dict[str, str]:
    """Return which of the runs in `folders` have predictions that give other scores than those that are there."""
    return {
        str(folder / "metrics.json"): "does not follow from predictions.csv and validation_predictions.csv"
        for folder in folders
        if all((folder / name).exists() for name in (*SCORED, "metrics.json"))
        and evaluate(*(read(folder / name) for name, read in SCORED.items())) != read_json(folder / "metrics.json")
    }


def unlisted(folder: Path, planned: Iterable[Planned]) -> dict[str, list[str]]:
    """Return the files below `folder` that no check covers, by what they are."""
    entries = filter(None, map(entry_of, {file.log for file in planned}))
    written = {path for entry in entries for path in entry["outputs"]}
    found: dict[str, list[str]] = {}
    for file in files_in(folder):
        if str(file) not in written and FOLDER not in file.parts and file.suffix != ".lock":
            kind = "logs" if file.suffix == ".log" else "files that no job of this study wrote"
            found.setdefault(kind, []).append(str(file))
    return found
