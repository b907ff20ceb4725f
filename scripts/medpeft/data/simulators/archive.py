"""The archive that a simulator writes: one PNG file an image, and a table that describes them."""

import csv
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

FOLDER = "images"
TABLE = "metadata.csv"
TABLE_COLUMNS = ("image", "patient", "label", "caption")


class Drawn(NamedTuple):
    """One simulated image: its name without suffix, its patient, class and caption, and its PNG file."""

    name: str
    patient: str
    label: str
    caption: str
    content: bytes


def write(path: Path, images: Iterable[Drawn]) -> None:
    """Write `images` and their table as a zip to `path`, in their order; equal images give equal bytes."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(TABLE_COLUMNS)
    with zipfile.ZipFile(path, "w") as archive:
        for image in images:
            file = f"{image.name}.png"
            rows.writerow([file, image.patient, image.label, image.caption])
            _add(archive, f"{FOLDER}/{file}", image.content)
        _add(archive, TABLE, table.getvalue().encode())


def png(image: np.ndarray) -> bytes:
    """Return `image` as the bytes of a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG")
    return stream.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file to `archive` with a date that is always the same."""
    archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content)
