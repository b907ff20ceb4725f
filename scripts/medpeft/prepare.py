"""Images of any common format to one array of equal squares, and the table that says what each is."""

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from medpeft.archives import Source
from medpeft.datasets.registry import Dataset
from medpeft.errors import UserError
from medpeft.files import replacing, write_table

COLUMNS = ["image_id", "group_id", "label", "caption", "source_file", "sha256"]
DEEP_GREY = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of more than 8 bits


def prepare(name: str, dataset: Dataset, archives: list[Path], size: int, images: Path, manifest: Path) -> None:
    """Write the images of `dataset`, read from its `archives`, and their table.

    `images` becomes an array (N, size, size, 3) of uint8 that `numpy.load(..., mmap_mode="r")` opens; it is written
    image by image, so that memory does not grow with N. Row i of `manifest` describes image i.

    Raises `UserError` where the images per class differ from the published counts or an image cannot be read.
    """
    sources = {archive.name: Source(archive) for archive in archives}
    table = dataset.index(*sources.values())
    _check(name, dataset, table, archives)
    digests = []
    with replacing(images) as temporary, open(temporary, "wb") as stream:
        shape = (len(table), size, size, 3)
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for place in table["source_file"]:
            archive, _, member = place.partition("/")
            content = sources[archive].read(member)
            stream.write(decode(content, size, f"{member!r} in {sources[archive].path}").tobytes())
            digests.append(hashlib.sha256(content).hexdigest())
    write_table(manifest, table.assign(sha256=digests)[COLUMNS])


def _check(name: str, dataset: Dataset, table: pd.DataFrame, archives: list[Path]) -> None:
    """Refuse a table that is not the published dataset."""
    where = f"{name} as read from {', '.join(map(str, archives))}"
    found = table["label"].value_counts()
    labels = sorted({*dataset.counts, *found.index})
    wrong = [
        f"{found.get(label, 0)} images of class {label!r} where {dataset.counts.get(label, 0)} are published"
        for label in labels
        if found.get(label, 0) != dataset.counts.get(label, 0)
    ]
    if wrong:
        raise UserError(f"{where} has {', '.join(wrong)}: delete the archive and fetch a complete, unaltered copy")
    if not table["image_id"].is_unique:
        twice = table.loc[table["image_id"].duplicated(), "image_id"].iloc[0]
        raise UserError(f"{where} has two images named {twice!r}: fetch an unaltered copy of the archive")


def decode(content: bytes, size: int, place: str) -> np.ndarray:
    """Return the image file `content` as (size, size, 3) uint8 RGB: the centre square, resized.

    The largest centred square is resampled to `size` by Pillow's bicubic filter, which widens with the reduction and so
    does not alias: the shorter side is resized and the longer one cropped, as evaluation transforms do. A camera's
    rotation (EXIF) is undone. Grey of more than 8 bits is stretched from its own lowest to its highest value; palettes
    and CMYK become RGB; transparency is ignored.

    Raises `UserError` naming `place` for a damaged image, an unknown format, or a decompression bomb.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                image.load()
                return np.asarray(_square(_eight_bits(ImageOps.exif_transpose(image)), size))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(f"{place} is refused for its size ({error}): replace the archive by a sound copy") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"{place} is not a readable image ({error}): fetch the archive anew") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode not in DEEP_GREY:
        return image.convert("RGB")
    values = np.asarray(image, dtype=np.float64)
    low, high = values.min(), values.max()
    stretched = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    return Image.fromarray(np.round(stretched).astype(np.uint8)).convert("RGB")


def _square(image: Image.Image, size: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
