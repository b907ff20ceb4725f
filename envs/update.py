"""Take the newest versions of all packages, test them, and report what they change (`make update`).

The default study runs with the old versions and with the new ones, each in a folder of its own below results/update/.
docs/how-to/update.md says what to do with the report.
"""

import json
import math
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.version import Version

ROOT = Path(__file__).parents[1]
WORK = ROOT / "results" / "update"
ASKED = ("requirements.txt", "requirements-dev.txt")
CARRIED = ("envs/*.yaml", "docs/**/*.md", "README.md", "CONTRIBUTING.md")  # may have some of the pins
PIN = re.compile(r"(?<![\w.-])(?P<name>[A-Za-z][\w.-]*)==(?P<version>\d+(?:\.\w+)*)")
COMPILE = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--no-header", "--no-annotate"]

Scores = dict[tuple[str, str], float | str]  # by run and metric


def pins(text: str) -> dict[str, str]:
    """Return the versions that a text pins, by the names of packages as they are spelled there."""
    return {found["name"]: found["version"] for found in PIN.finditer(text)}


def lowest(lock: str) -> dict[str, str]:
    """Return the versions of a lock, by normal names; the lowest where Pythons have several, for it fits them all."""
    found: dict[str, str] = {}
    for pin in PIN.finditer(lock):
        name = normal(pin["name"])
        found[name] = min(found.get(name, pin["version"]), pin["version"], key=Version)
    return found


def normal(name: str) -> str:
    """Return the spelling of a package's name by which two are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def with_versions(text: str, old: dict[str, str], new: dict[str, str]) -> str:
    """Return `text` with the `new` versions in place of the `old` ones; other pins in it stay.

    Args:
        old: Versions by names as they are spelled.
        new: Versions by normal names.
    """

    def pin(found: re.Match[str]) -> str:
        ours = old.get(found["name"]) == found["version"]
        return f"{found['name']}=={new[normal(found['name'])]}" if ours else found[0]

    return PIN.sub(pin, text)


def scores(folder: Path) -> Scores:
    """Return the scores of all runs below the results of a study, by run and metric, with the status of each run."""
    found: Scores = {}
    for path in sorted(folder.glob("runs/**/metrics.json")):
        run = path.parent.relative_to(folder / "runs").as_posix()
        metrics = json.loads(path.read_text())
        found |= {(run, name): value for name, value in metrics.items() if name == "status" or _counts(value)}
    return found


def _counts(value: object) -> bool:
    """Tell whether a value is a score: no number of images, and not missing."""
    return isinstance(value, float) and not math.isnan(value)


def differences(before: Scores, after: Scores) -> list[str]:
    """Return, in lines of Markdown, which scores differ: by metric, and what only one side has."""
    shared = [key for key in before if key in after]
    numbers = {key: (before[key], after[key]) for key in shared if key[1] != "status"}
    same = sum(old == new for old, new in numbers.values())
    groups = {
        "scores are there only before": [" ".join(key) for key in before if key not in after],
        "scores are there only after": [" ".join(key) for key in after if key not in before],
        "runs have a different outcome": [
            f"{run} ({before[run, name]}, now {after[run, name]})"
            for run, name in shared
            if name == "status" and before[run, name] != after[run, name]
        ],
    }
    lines = [f"{same} of {len(numbers)} scores are the same to the last bit."]
    lines += [f"{len(names)} {what}: {_few(names)}." for what, names in groups.items() if names]
    return lines + _by_metric(numbers)


def _by_metric(pairs: dict[tuple[str, str], tuple[float | str, float | str]]) -> list[str]:
    """Return a table of the metrics that differ: in how many runs, and where most."""
    moved: dict[str, list[tuple[float, str]]] = {}
    for (run, metric), (old, new) in pairs.items():
        if old != new:
            moved.setdefault(metric, []).append((abs(float(new) - float(old)), run))
    rows = [
        f"| {metric} | {len(moved[metric])} | {max(moved[metric])[0]:.4g} | {max(moved[metric])[1]} |"
        for metric in sorted(moved)
    ]
    head = ["", "| Metric | Runs that differ | Largest difference | In |", "| :-- | --: | --: | :-- |"]
    return head + rows if rows else []


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f", and {len(names) - 5} more" if len(names) > 5 else "")


def report(old: dict[str, str], new: dict[str, str], compared: Iterable[str], passed: bool) -> str:
    """Return what an update changes, in Markdown."""
    rows = [f"| {name} | {old[name]} | {new[normal(name)]} |" for name in old if old[name] != new[normal(name)]]
    table = ["| Package | Before | After |", "| :-- | :-- | :-- |", *rows]
    packages = "\n".join(table) if rows else "No package has a newer version."
    tests = "All tests pass." if passed else "Tests fail: `make test` says above which."
    numbers = "\n".join(compared)
    return f"# Update\n\n{packages}\n\n## Numbers of the default study\n\n{numbers}\n\n## Tests\n\n{tests}\n"


def newest(names: Iterable[str]) -> dict[str, str]:
    """Return the newest versions that fit each other on Python 3.11 and later, by normal names."""
    with TemporaryDirectory() as folder:
        asked, lock = Path(folder) / "asked.txt", Path(folder) / "lock.txt"
        asked.write_text("\n".join(names))
        subprocess.run([*COMPILE, str(asked), "--output-file", str(lock)], check=True)
        return lowest(lock.read_text())


def run_study(name: str) -> Scores:
    """Run the default study in the folder `name`, and return its scores."""
    shutil.rmtree(WORK / name, ignore_errors=True)
    (WORK / name).mkdir(parents=True)
    command = ["snakemake", "--cores", "all", "--quiet", "rules", "reason", "host", "--directory", str(WORK / name)]
    subprocess.run(command, cwd=ROOT, check=True)
    return scores(WORK / name / "results" / "embedded")


def main() -> None:
    """Bump, lock, install, run, test, report."""
    files = [ROOT / name for name in ASKED] + [path for pattern in CARRIED for path in sorted(ROOT.glob(pattern))]
    refuse_changes([*files, *ROOT.glob("*.lock")])
    old = {name: version for asked in ASKED for name, version in pins((ROOT / asked).read_text()).items()}
    before = run_study("before")
    new = newest(old)
    for path in files:
        path.write_text(with_versions(path.read_text(), old, new))
    try:
        subprocess.run(["make", "lock", "UPGRADE=--upgrade"], cwd=ROOT, check=True)
        subprocess.run(["make", ".venv/installed-dev"], cwd=ROOT, check=True)
        compared = differences(before, run_study("after"))
    except subprocess.CalledProcessError as error:
        compared = [f"None: with the new versions {shlex.join(error.cmd)} fails with status {error.returncode}."]
    passed = subprocess.run(["make", "test"], cwd=ROOT, check=False).returncode == 0
    text = report(old, new, compared, passed)
    (WORK / "report.md").write_text(text)
    print(text)
    sys.exit(not passed)


def refuse_changes(files: list[Path]) -> None:
    """End where files that are to be edited differ from the last commit, for git could not take the update back."""
    command = ["git", "status", "--porcelain", "--", *files]
    if changed := subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout:
        sys.exit(f"update: it edits files that have changes: commit them or take them back first:\n{changed.rstrip()}")


if __name__ == "__main__":
    main()
