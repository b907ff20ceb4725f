"""What is to be said of the pixels of a dataset's images: their shapes, what was no picture, and blank ones."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from medpeft.data.decode import Decoded

NOTED = ["width", "height", "not_finite", "masked", "constant", "nearly_black"]  # of `Decoded`, as whole numbers
APPEARANCE_COLUMNS = ["image_id", *NOTED]
NOTABLE_CUT = 0.01  # share of the area of all images that is cut off, above which the terminal says so
FITS = {"crop": "cropped to the centre square", "pad": "padded with black", "squash": "squashed to a square"}


class Notes:
    """What was found in the pixels of image files, by their SHA-256, on disk while a dataset is prepared.

    A preparation that goes on after a kill finds here what the one before has seen. A line that was not finished counts
    for nothing.

    Args:
        path: Of the file.
        reading: By what settings the files were read: notes made by others are dropped.
    """

    def __init__(self, path: Path, reading: str):
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
        known = lines[1:-1] if lines[:1] == [reading] else []
        self._path, self._found = path, dict(map(_parsed, filter(_is_whole, known)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([reading, *(_line(*entry) for entry in self._found.items()), ""]), encoding="utf-8")

    def add(self, digest: str, decoded: "Decoded") -> None:
        """Note what was found in the file with the SHA-256 `digest`."""
        self._found[digest] = [int(getattr(decoded, name)) for name in NOTED]
        with open(self._path, "a", encoding="utf-8") as stream:
            stream.write(_line(digest, self._found[digest]) + "\n")

    def __contains__(self, digest: str) -> bool:
        return digest in self._found

    def table(self, image_ids: pd.Series, digests: pd.Series) -> pd.DataFrame:
        """Return one row an image, with `APPEARANCE_COLUMNS`."""
        found = pd.DataFrame([self._found[digest] for digest in digests], columns=NOTED, dtype=int)
        return found.assign(image_id=image_ids.to_numpy())[APPEARANCE_COLUMNS]

    def delete(self) -> None:
        """Remove the file, which a finished preparation does not need."""
        self._path.unlink(missing_ok=True)


def _line(digest: str, values: list[int]) -> str:
    return " ".join([digest, *map(str, values)])


def _is_whole(line: str) -> bool:
    return len(line.split(" ")) == len(NOTED) + 1


def _parsed(line: str) -> tuple[str, list[int]]:
    digest, *values = line.split(" ")
    return digest, list(map(int, values))


def measures(appearance: pd.DataFrame, fit: str) -> dict[str, int]:
    """Return the numbers of `sentences`: of images, but `area` and `cut_area` of pixels in the files.

    Args:
        appearance: One row an image, with `APPEARANCE_COLUMNS`.
        fit: How images become square.
    """
    sides = appearance[["width", "height"]]
    area = sides.prod(axis=1)
    kept = sides.min(axis=1) ** 2 if fit == "crop" else area
    found = {
        "not_square": (sides["width"] != sides["height"]).sum(),
        "area": area.sum(),
        "cut_area": (area - kept).sum(),
        "half_cut": (2 * kept < area).sum(),
    }
    found |= {name: (appearance[name] > 0).sum() for name in ("constant", "nearly_black", "not_finite", "masked")}
    return {name: int(count) for name, count in found.items()}


def sentences(get: Callable[[str], int], fit: str) -> list[str]:
    """Return what a reader of a dataset's scores wants to know of its pixels; empty where there is nothing to say.

    Args:
        get: Returns one of the numbers of `measures` by its name.
        fit: How images become square.
    """
    said = [
        ("not_square", f"not square and {FITS[fit]}{_loss(get, fit)}"),
        ("half_cut", "more than twice as long as wide or as wide as long, of which more than half is cut off"),
        ("constant", "of one single colour"),
        ("nearly_black", "nearly black"),
        ("not_finite", "with values that are no numbers or infinite; these are black"),
        ("masked", "with padding or a marker of what is no picture; these pixels are black"),
    ]
    return [f"{_counted(get(name))} {words}." for name, words in said if get(name)]


def alarming(found: dict[str, int], fit: str) -> list[str]:
    """Return those of `sentences` that whoever starts a study should read before the results are there."""
    small = found["cut_area"] <= NOTABLE_CUT * found["area"]
    quiet = {"not_square"} if small else set()
    return sentences(lambda name: 0 if name in quiet | {"masked"} else found[name], fit)


def _loss(get: Callable[[str], int], fit: str) -> str:
    if fit != "crop":
        return ""
    return f", which cuts off {100 * get('cut_area') / max(get('area'), 1):.1f} % of the area of all images"


def _counted(count: int) -> str:
    return f"{count:,} image is" if count == 1 else f"{count:,} images are"
