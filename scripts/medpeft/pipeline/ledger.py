"""What every job was asked, read and wrote, with hashes: the chain from source files to results that `verify` follows.

The entry of a job lies where its log does, below `provenance/`: of `results/<study>/runs/.../finetune.log` it is
`results/<study>/provenance/runs/.../finetune.json`.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from medpeft.base.files import read_json, sha256, write_json
from medpeft.pipeline.packages import versions

FOLDER = "provenance"
SEAL = "seal"  # the key with the hash of all others


class Items(Iterable[str], Protocol):
    """A list of Snakemake's, some of whose members have names."""

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return the members that have names, with these."""


class Job(Protocol):
    """What this module asks of the object `snakemake` that Snakemake gives to a script."""

    rule: str
    wildcards: Items
    params: Items
    input: Iterable[str]
    output: Iterable[str]
    log: Any


def place(log: str | Path) -> Path:
    """Return where the entry of the job lies whose log is `log`."""
    parts = Path(os.path.relpath(log)).with_suffix(".json").parts
    top = min(2 if parts[0] == "results" else 1, len(parts) - 1)
    return Path(*parts[:top], FOLDER, *parts[top:])


def begin(job: Job) -> None:
    """Remove what an earlier attempt at `job` noted, for its outputs will be others."""
    place(job.log[0]).unlink(missing_ok=True)


def enter(job: Job, others: Iterable[Path] = ()) -> None:
    """Note what `job`, which has succeeded, was asked, read and wrote; `others` it wrote beside its outputs."""
    entry = {
        "rule": job.rule,
        "wildcards": dict(job.wildcards.items()),
        "params": json.loads(json.dumps(dict(job.params.items()), default=str)),
        "packages": versions(),
        "inputs": hashes(job.input),
        "outputs": hashes([*job.output, *others]),
    }
    write_json(place(job.log[0]), entry | {SEAL: _seal(entry)})


def entry_of(log: str | Path) -> dict[str, Any] | None:
    """Return the entry of the job whose log is `log`, or None where there is none that is as it was written."""
    try:
        entry = read_json(place(log))
        return entry if entry.pop(SEAL) == _seal(entry) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def hashes(paths: Iterable[str | Path]) -> dict[str, str]:
    """Return the SHA-256 of `paths` by path; of a folder, of each file in it."""
    files: list[Path] = []
    for path in map(Path, paths):
        files += files_in(path) if path.is_dir() else [path]
    return {str(file): sha256(file) for file in files}


def files_in(folder: Path) -> list[Path]:
    """Return the files below `folder`, without the empty ones by which Snakemake tells when a folder was made."""
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.name != ".snakemake_timestamp")


def _seal(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
