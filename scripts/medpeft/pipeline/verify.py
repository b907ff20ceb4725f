"""Whether the results of a run belong to the code, the data, the study and the packages at hand."""

from collections.abc import Callable
from pathlib import Path

from medpeft.base.files import read_json, read_table
from medpeft.base.frames import each_row
from medpeft.statistics.evaluate import evaluate


def doubts(folder: Path, asked: dict, versions: dict[str, str], digest: Callable[[str], str]) -> list[str]:
    """Return what speaks against the results in the folder of a finished run, or nothing.

    `asked` are the settings that the study at hand has for the run, `versions` are those of the packages at hand,
    `digest(path)` returns the SHA-256 of a file, relative to the working directory like the paths in the run's record.
    The scores of predictions are recomputed; of generated images it is asked whether they are those that were scored.
    """
    record = read_json(folder / "record.json")
    origin = record["provenance"]
    outputs = {str(folder / name): value for name, value in origin["outputs"].items()}
    found = _changed(origin["inputs"] | _listed(origin["inputs"]) | outputs, digest)
    found += [
        f"it ran with {name} {version}, and {versions.get(name, 'none')} is here"
        for name, version in origin["packages"].items()
        if versions.get(name) != version
    ]
    found += [
        f"the study's {name.replace('_', ' ')} is another than when it ran"
        for name, value in asked.items()
        if record["asked"][name] != value
    ]
    images = folder / "generated"
    return found + (_doubts_of_images(images, digest) if images.exists() else _doubts_of_scores(folder))


def _listed(inputs: dict[str, str]) -> dict[str, str]:
    """Return the digests by path that those of `inputs` hold which are lists, of the large files beside them."""
    lists = [Path(path) for path in inputs if path.endswith(".json") and Path(path).exists()]
    return {
        str(path.parent / file): value for path in lists for file, value in read_json(path).get("sha256", {}).items()
    }


def _doubts_of_scores(folder: Path) -> list[str]:
    scores = evaluate(read_table(folder / "predictions.csv"), read_json(folder / "record.json"))
    return [] if scores == read_json(folder / "metrics.json") else ["metrics.json does not follow from predictions.csv"]


def _doubts_of_images(folder: Path, digest: Callable[[str], str]) -> list[str]:
    """Return what is to be said of the images in `folder`: each of its tables lists those in the folder of its name."""
    listed = {
        str(table.with_suffix("") / row.file): row.sha256
        for table in sorted(folder.glob("*.csv"))
        for row in each_row(read_table(table))
    }
    return _changed(listed, digest)


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
