"""Images of any common format to one array of equal squares, and the table that says what each is."""

import hashlib
import io
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from medpeft.archives import Source
from medpeft.datasets.registry import Dataset
from medpeft.errors import UserError
from medpeft.files import replacing, write_table

COLUMNS = ["image_id", "group_id", "label", "caption", "source_file", "sha256"]
EXTRA = ["split", "source"]  # of datasets that have them
DEEP_GREY = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of more than 8 bits


def prepare(
    name: str, dataset: Dataset, archives: list[Path], size: int, images: Path, manifest: Path, threads: int = 1
) -> None:
    """Write the images of `dataset`, read from its `archives`, and their table.

    `images` becomes an array (N, size, size, 3) of uint8 that `numpy.load(..., mmap_mode="r")` opens; it is written
    image by image, so that memory does not grow with N. Row i of `manifest` describes image i. The bytes are the same
    for any number of `threads`.

    Raises `UserError` where the images per class differ from the published counts or an image cannot be read.
    """
    sources = {archive.name: Source(archive) for archive in archives}
    table = dataset.index(*sources.values())
    _check(name, dataset, table, archives)

    def load(place: str) -> tuple[np.ndarray, str]:
        archive, _, member = place.partition("/")
        content = sources[archive].read(member)
        pixels = decode(content, size, f"{member!r} in {sources[archive].path}")
        return pixels, hashlib.sha256(content).hexdigest()

    digests = []
    ahead = 4 * threads  # images that are decoded before they are written
    with replacing(images) as temporary, open(temporary, "wb") as stream, ThreadPoolExecutor(threads) as pool:
        shape = (len(table), size, size, 3)
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for start in range(0, len(table), ahead):
            for pixels, digest in pool.map(load, table["source_file"].iloc[start : start + ahead]):
                stream.write(pixels.tobytes())
                digests.append(digest)
    extra = [column for column in EXTRA if column in table]
    write_table(manifest, table.assign(sha256=digests)[COLUMNS + extra])


def _check(name: str, dataset: Dataset, table: pd.DataFrame, archives: list[Path]) -> None:
    """Refuse a table that is not the published dataset."""
    where = f"{name} as read from {', '.join(map(str, archives))}"
    found = table["label"].value_counts()
    labels = sorted({*dataset.counts, *found.index})
    counts = {label: (int(found.get(label, 0)), dataset.counts.get(label, 0)) for label in labels}
    wrong = [
        f"{have} images of class {label!r} where {'some' if published is None else published} are published"
        for label, (have, published) in counts.items()
        if (not have if published is None else have != published)
    ]
    may_lack = all(0 < have <= (have if published is None else published) for have, published in counts.values())
    if wrong and dataset.may_lack_images and may_lack:
        logging.warning("%s has %s: it goes on with these", where, ", ".join(wrong))
    elif wrong:
        raise UserError(f"{where} has {', '.join(wrong)}: delete the archive and fetch a complete, unaltered copy")
    if not table["image_id"].is_unique:
        twice = table.loc[table["image_id"].duplicated(), "image_id"].iloc[0]
        raise UserError(f"{where} has two images named {twice!r}: fetch an unaltered copy of the archive")


def decode(content: bytes, size: int, place: str) -> np.ndarray:
    """Return the image file `content` as (size, size, 3) uint8 RGB: the centre square, resized.

    The largest centred square is resampled to `size` by Pillow's bicubic filter, which widens with the reduction and so
    does not alias: the shorter side is resized and the longer one cropped, as evaluation transforms do. A camera's
    rotation (EXIF) is undone. Grey of more than 8 bits is stretched from its own lowest to its highest value; palettes
    and CMYK become RGB; transparency is ignored. A DICOM file is shown through its first window where it has one.

    Raises `UserError` naming `place` for a damaged image, an unknown format, or a decompression bomb.
    """
    try:
        picture = _dicom(content) if content[128:132] == b"DICM" else _picture(content)
        return np.asarray(_square(picture, size).convert("RGB"))  # grey is resized as one channel: a third of the work
    except Image.DecompressionBombError as error:
        raise UserError(f"{place} is refused for its size ({error}): replace the archive by a sound copy") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(
            f"{place} is not a readable image ({error}): delete the archive and run again to fetch it anew"
        ) from error


def _picture(content: bytes) -> Image.Image:
    """Return an image file of any format that Pillow knows as grey or RGB of 8 bits, upright."""
    with Image.open(io.BytesIO(content)) as image:
        _refuse_bomb(*image.size)
        image.load()
        upright = ImageOps.exif_transpose(image)
    if upright.mode in DEEP_GREY:
        return Image.fromarray(_stretched(np.asarray(upright)))
    return upright if upright.mode == "L" else upright.convert("RGB")


def _refuse_bomb(width: int, height: int) -> None:
    """Refuse what Pillow only warns of; warnings cannot be made errors in one thread alone."""
    if width * height > Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError(f"{width} x {height} pixels")


def _dicom(content: bytes) -> Image.Image:
    """Return the picture in a DICOM file, grey or RGB of 8 bits; none of its tags goes along.

    Grey passes through the modality table, then through the first window or value table; 8 bits without one are kept as
    they are, and more are stretched. MONOCHROME1 is inverted, so that high is bright (DICOM PS3.3, C.7.6.3.1.2, C.11).
    """
    try:
        return _shown(content)
    except Image.DecompressionBombError:
        raise
    except Exception as error:  # pydicom names no set of exceptions that a damaged file can raise
        raise ValueError(f"DICOM: {' '.join(str(error).split())}") from error


def _shown(content: bytes) -> Image.Image:
    from pydicom import dcmread
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    dataset = dcmread(io.BytesIO(content))
    _refuse_bomb(dataset.Columns, dataset.Rows)
    if int(dataset.get("NumberOfFrames", None) or 1) > 1:
        raise ValueError(f"{dataset.NumberOfFrames} frames in one file")
    pixels = dataset.pixel_array
    if pixels.ndim == 3:
        return Image.fromarray(pixels)
    if not dataset.PhotometricInterpretation.startswith("MONOCHROME"):
        raise ValueError(f"photometric interpretation {dataset.PhotometricInterpretation}")
    if dataset.get("WindowWidth") or dataset.get("VOILUTSequence"):
        low, high = apply_voi_lut(np.array([-(2**31), 2**31]), dataset)  # the darkest and the brightest that can be
        shown = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset)
        grey = np.round((shown - low) * (255 / (high - low))).astype(np.uint8)
    else:
        grey = pixels if pixels.dtype == np.uint8 else _stretched(apply_modality_lut(pixels, dataset))
    return Image.fromarray(255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Return `values` as uint8, their lowest as 0 and their highest as 255."""
    values = values.astype(np.float64)
    low, high = values.min(), values.max()
    stretched = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    return np.round(stretched).astype(np.uint8)


def _square(image: Image.Image, size: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
