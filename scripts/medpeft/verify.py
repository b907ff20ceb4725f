"""Whether the results of a run belong to the code, the data, the study and the packages at hand."""

from collections.abc import Callable
from pathlib import Path

from medpeft.evaluate import evaluate
from medpeft.files import read_json, read_table


def doubts(folder: Path, recipe: dict, versions: dict[str, str], digest: Callable[[str], str]) -> list[str]:
    """Return what speaks against the results in the folder of a finished run, or nothing.

    `recipe` is that of the study at hand, `versions` are those of the packages at hand, `digest(path)` returns the
    SHA-256 of a file, relative to the working directory like the paths in the run's record. The scores are recomputed.
    """
    record = read_json(folder / "record.json")
    origin = record["provenance"]
    outputs = {str(folder / name): value for name, value in origin["outputs"].items()}
    found = _changed(origin["inputs"] | outputs, digest)
    found += [
        f"it ran with {name} {version}, and {versions.get(name, 'none')} is here"
        for name, version in origin["packages"].items()
        if versions.get(name) != version
    ]
    if record["asked"]["recipe"] != recipe:
        found.append("the study's recipe is another than when it ran")
    if evaluate(read_table(folder / "predictions.csv"), record) != read_json(folder / "metrics.json"):
        found.append("metrics.json does not follow from predictions.csv")
    return found


def _changed(expected: dict[str, str], digest: Callable[[str], str]) -> list[str]:
    """Return what is to be said of the files whose digests are not as expected."""
    states = []
    for path, value in expected.items():
        try:
            if digest(path) != value:
                states.append(f"{path} is not as it was when it ran")
        except FileNotFoundError:
            states.append(f"{path} is missing")
    return states
