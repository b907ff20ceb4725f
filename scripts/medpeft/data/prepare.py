"""Images of any common format to one array of equal squares, and the table that says what each is."""

import hashlib
import io
import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from PIL import Image, ImageOps

from medpeft.base.errors import UserError
from medpeft.base.files import write_table
from medpeft.data.archives import Source
from medpeft.data.dataset import Dataset
from medpeft.data.split import SPLITS

COLUMNS = ["image_id", "group_id", "label", "caption", "source_file", "sha256"]
EXTRA = ["split", "source"]  # of datasets that have them
DEEP_GREY = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of more than 8 bits


def prepare(
    name: str, dataset: Dataset, archives: list[Path], size: int, images: Path, manifest: Path, processes: int = 1
) -> None:
    """Write the images of `dataset`, read from its `archives`, and their table.

    `images` becomes an array (N, size, size, 3) of uint8 that `numpy.load(..., mmap_mode="r")` opens; it is written
    image by image, so that memory does not grow with N. Row i of `manifest` describes image i. The bytes are the same
    for any number of `processes`. A call that was killed is continued by the next with the same archives.

    Raises `UserError` where the images per class differ from the published counts, or some images cannot be read: the
    log lists all of these.
    """
    sources = [Source(archive) for archive in archives]
    table = dataset.index(*sources)
    _check(name, dataset, table, archives)
    places = table["source_file"].tolist()
    unfinished = _Unfinished(images, [table.to_csv(), *map(_state, archives)], (len(table), size, size, 3))
    try:
        _decode_all({source.path.name: source.path for source in sources}, places, size, processes, unfinished)
    except Exception:
        unfinished.delete()
        raise
    extra = [column for column in EXTRA if column in table]
    write_table(manifest, table.assign(sha256=unfinished.digests())[COLUMNS + extra])
    unfinished.finish(images)


def _decode_all(
    archives: dict[str, Path], places: list[str], size: int, processes: int, unfinished: "_Unfinished"
) -> None:
    """Decode the images at `places` that `unfinished` lacks into it; name all that cannot be read."""
    pool = Parallel(n_jobs=processes, return_as="generator", pre_dispatch="16 * n_jobs", batch_size=4)
    rest = places[len(unfinished) :]
    failures = []
    with unfinished.opened() as add:
        for pixels, outcome in pool(delayed(_load)(*_located(archives, place), size) for place in rest):
            if pixels is None:
                logging.error(outcome)
                failures.append(outcome)
            elif not failures:
                add(pixels, outcome)
    if failures:
        others = f" ({len(failures) - 1} more images cannot be read: the log names each)" if failures[1:] else ""
        raise UserError(failures[0] + others)


def _located(archives: dict[str, Path], place: str) -> tuple[Path, str]:
    archive, _, member = place.partition("/")
    return archives[archive], member


def _load(archive: Path, member: str, size: int) -> tuple[np.ndarray | None, str]:
    """Return one image and the SHA-256 of its file, or None and why it cannot be read."""
    try:
        source = _opened(archive, archive.stat().st_mtime_ns)
        content = source.read(member)
        return decode(content, size, f"{member!r} in {source.path}"), hashlib.sha256(content).hexdigest()
    except UserError as error:
        return None, str(error)


@lru_cache(maxsize=8)
def _opened(archive: Path, _changed: int) -> Source:
    """Return `archive`, opened once a process unless it changed."""
    return Source(archive)


def _state(archive: Path) -> str:
    stat = archive.stat()
    return f"{archive} {stat.st_size} {stat.st_mtime_ns}"


class _Unfinished:
    """Decoded images on disk, beside where they will be, in two files that grow together: a NumPy array and digests.

    Their names carry a hash of what they are made from, so that work from another archive or size is not continued.
    """

    LINE = 65  # bytes of a SHA-256 digest and its line break

    def __init__(self, images: Path, made_from: list[str], shape: tuple[int, ...]):
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        self._header, self._bytes = stream.getvalue(), math.prod(shape[1:])
        key = hashlib.sha256("\n".join([*made_from, str(shape)]).encode()).hexdigest()[:16]
        self._array, self._digests = (images.with_name(f".{images.name}.{key}.{part}") for part in ("npy", "sha256"))
        images.parent.mkdir(parents=True, exist_ok=True)
        for other in set(images.parent.glob(f".{images.name}.*")) - {self._array, self._digests}:
            other.unlink()
        if not self._array.exists() or self._array.stat().st_size < len(self._header):
            self._array.write_bytes(self._header)
        self._digests.touch()
        count = len(self)
        os.truncate(self._array, len(self._header) + count * self._bytes)
        os.truncate(self._digests, count * self.LINE)
        if count:
            logging.info("%d images were decoded before: going on from there", count)

    def __len__(self) -> int:
        """Return the number of whole images that are there."""
        whole = (self._array.stat().st_size - len(self._header)) // self._bytes
        return min(whole, self._digests.stat().st_size // self.LINE)

    @contextmanager
    def opened(self) -> Iterator[Callable[[np.ndarray, str], None]]:
        """Yield a function that appends one image and its digest."""
        with open(self._array, "ab") as array, open(self._digests, "a", encoding="ascii") as digests:

            def add(image: np.ndarray, digest: str) -> None:
                array.write(image.tobytes())
                digests.write(f"{digest}\n")

            yield add

    def digests(self) -> list[str]:
        return self._digests.read_text(encoding="ascii").split()

    def finish(self, images: Path) -> None:
        self._array.replace(images)
        self.delete()

    def delete(self) -> None:
        for path in (self._array, self._digests):
            path.unlink(missing_ok=True)


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
    if (
        "split" in table
        and dataset.sizes
        and (parts := tuple(map(list(table["split"]).count, SPLITS))) != dataset.sizes
    ):
        raise UserError(f"{where} has {parts} images for {', '.join(SPLITS)} where {dataset.sizes} are published")
    if not table["image_id"].is_unique:
        twice = table.loc[table["image_id"].duplicated(), "image_id"].iloc[0]
        raise UserError(f"{where} has two images named {twice!r}: fetch an unaltered copy of the archive")


def decode(content: bytes, size: int, place: str) -> np.ndarray:
    """Return the image file `content` as (size, size, 3) uint8 RGB: the centre square, resized.

    The largest centred square is resampled to `size` by Pillow's bicubic filter, which widens with the reduction and so
    does not alias: the shorter side is resized and the longer one cropped, as evaluation transforms do. A camera's
    rotation (EXIF) is undone. Grey of more than 8 bits is stretched from its own lowest to its highest value; palettes
    and CMYK become RGB; transparency is ignored. A DICOM file is shown through its first window where it has one.

    So does one image as NumPy saves it.

    Raises `UserError` naming `place` for a damaged image, an unknown format, or a decompression bomb.
    """
    try:
        if content[128:132] == b"DICM":
            picture = _dicom(content)
        elif content.startswith(np.lib.format.MAGIC_PREFIX):
            picture = Image.fromarray(np.load(io.BytesIO(content), allow_pickle=False))
        else:
            picture = _picture(content)
        return np.asarray(_square(picture, size).convert("RGB"))  # grey is resized as one channel: a third of the work
    except Image.DecompressionBombError as error:
        raise UserError(f"{place} is refused for its size ({error}): replace the archive by a sound copy") from error
    except (OSError, SyntaxError, ValueError, EOFError, TypeError) as error:
        raise UserError(
            f"{place} is not a readable image ({error}): put a sound copy in its place, or delete the archive and run "
            "again to fetch it anew"
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
