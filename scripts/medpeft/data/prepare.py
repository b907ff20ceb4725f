"""Images of any common format to one array of equal squares, and the table that says what each is."""

import hashlib
import io
import logging
import math
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from medpeft.base.errors import UserError
from medpeft.base.files import replacing, write_table
from medpeft.base.losses import Losses
from medpeft.data.appearance import Notes
from medpeft.data.archives import Source
from medpeft.data.dataset import Dataset
from medpeft.data.decode import Decoded, decode
from medpeft.data.formats.picture import Reading
from medpeft.data.split import SPLITS

MANIFEST_COLUMNS = ["image_id", "group_id", "label", "source_file", "sha256"]
OPTIONAL_COLUMNS = ["split", "source"]  # of datasets that have them
UNREADABLE = "0" * 64  # in place of the SHA-256 of a file that cannot be decoded


def prepare(
    name: str,
    dataset: Dataset,
    archives: list[Path],
    size: int,
    images: Path,
    manifest: Path,
    processes: int = 1,
    accepted: Mapping[str, int] | None = None,
    reading: Reading | None = None,
) -> Losses:
    """Write the images of `dataset` and their table.

    The bytes are the same for any number of `processes`. A call that was killed is continued by the next with the same
    archives.

    Args:
        name: Of the dataset, for messages.
        dataset: How its archives are read, and what was published of it.
        archives: Its archives, in the order in which it reads them.
        size: Side of an image in pixels.
        images: Where an array (N, size, size, 3) of uint8 is written that `numpy.load(..., mmap_mode="r")` opens. It is
            written image by image, so that memory does not grow with N.
        manifest: Where the table is written; row i describes image i.
        processes: How many decode images side by side.
        accepted: How many losses of each reason the study accepts; see `medpeft.base.losses`.
        reading: How image files are read and fitted to the square.

    Returns:
        What the archives hold that is not used. `pixels.csv` beside `images` says what was found in the pixels of each
        image; see `medpeft.data.appearance`.

    Raises:
        UserError: More is lost than the study accepts, some of it images that cannot be read, or the images per class
            differ from the published counts: the log lists all of these.
    """
    reading = replace(reading or Reading(), frame=dataset.frame)
    listed, losses = dataset.listing(archives)
    table = listed.drop(columns="caption")  # see `medpeft.data.captions`
    for line in losses.lines():
        logging.info(line)
    accepted = {reason: len(losses.names(reason)) for reason in dataset.tolerated} | dict(accepted or {})
    losses.refuse(f"{name} as read from {', '.join(map(str, archives))}", name, accepted)
    _check(name, dataset, table, archives)
    made_from = [table.to_csv(), *map(_state, archives), str(reading)]
    unfinished = _Unfinished(images, made_from, table["source_file"].tolist(), size)
    notes = Notes(images.with_name(".pixels.notes"), str(reading))
    load = partial(_load, {archive.name: archive for archive in archives}, size, reading, dataset.remedy)
    try:
        _decode_all(load, processes, unfinished, notes)
        unfinished.check()
        table = table.assign(sha256=unfinished.digests())
        readable = table["sha256"] != UNREADABLE
        _refuse_unreadable(load, table.loc[~readable, "source_file"].tolist(), name, accepted, losses)
        _check_classes(table["label"], table.loc[readable, "label"])
    except Exception:
        unfinished.delete()
        notes.delete()
        raise
    table = table[readable]
    optional = [column for column in OPTIONAL_COLUMNS if column in table]
    write_table(images.with_name("pixels.csv"), notes.table(table["image_id"], table["sha256"]))
    write_table(manifest, table[MANIFEST_COLUMNS + optional])
    unfinished.finish(images)
    if not readable.all():
        _keep(images, np.flatnonzero(readable))
    notes.delete()
    return losses


Load = Callable[[str], tuple[Decoded | None, str]]  # the image at a place, and its SHA-256 or why there is none


def _decode_all(load: Load, processes: int, unfinished: "_Unfinished", notes: Notes) -> None:
    """Decode the images that `unfinished` lacks into it; those that cannot be read are black there."""
    pool = Parallel(n_jobs=processes, return_as="generator", pre_dispatch="16 * n_jobs", batch_size=4)
    with unfinished.opened() as add:
        for decoded, outcome in pool(delayed(load)(place) for place in unfinished.rest):
            if decoded is None:
                logging.error(outcome)
                add(unfinished.black(), UNREADABLE)
            else:
                notes.add(outcome, decoded)
                add(decoded.pixels, outcome)
    for place, digest in zip(unfinished.places, unfinished.digests(), strict=True):
        if digest != UNREADABLE and digest not in notes:  # the machine stopped before the note was on the disk
            decoded, _ = load(place)
            if decoded:
                notes.add(digest, decoded)


def _load(
    archives: dict[str, Path], size: int, reading: Reading, remedy: str, place: str
) -> tuple[Decoded | None, str]:
    """Return one image and the SHA-256 of its file, or None and why it cannot be read."""
    name, _, member = place.partition("/")
    archive = archives[name]
    try:
        source = _opened(archive, archive.stat().st_mtime_ns)
        content = source.read(member)
        decoded = decode(content, size, f"{member!r} in {source.path}", reading, remedy)
        return decoded, hashlib.sha256(content).hexdigest()
    except UserError as error:
        return None, str(error)


def _refuse_unreadable(load: Load, places: list[str], name: str, accepted: Mapping[str, int], losses: Losses) -> None:
    """Note the images at `places`, none of which can be read; refuse more of them than the study accepts."""
    losses.add("unreadable", *places)
    count = len(losses.names("unreadable"))
    if not places or count <= accepted.get("unreadable", 0):
        return
    others = f" ({len(places) - 1} more images cannot be read: the log names each)" if places[1:] else ""
    remedy = f"to do without, write `accept: {{{name}: {{unreadable: {count}}}}}` in the study"
    raise UserError(f"{load(places[0])[1]}{others}; {remedy}")


def _check_classes(labels: pd.Series, readable: pd.Series) -> None:
    """Refuse a dataset of which a class has no readable image."""
    if lost := sorted(set(labels) - set(readable)):
        raise UserError(
            f"no image of class {lost[0]!r} can be read: the log names each; put sound copies in their place"
        )


def _keep(images: Path, rows: np.ndarray) -> None:
    """Keep only these `rows` of the array in the file `images`."""
    every = np.load(images, mmap_mode="r")
    with replacing(images) as temporary:
        kept = np.lib.format.open_memmap(temporary, "w+", every.dtype, (len(rows), *every.shape[1:]), version=(1, 0))
        for row, source in enumerate(rows):
            kept[row] = every[source]
        kept.flush()


@lru_cache(maxsize=8)
def _opened(archive: Path, _changed: int) -> Source:
    """Return `archive`, opened once a process unless it changed."""
    return Source(archive)


def _state(archive: Path) -> str:
    stat = archive.stat()
    return f"{archive} {stat.st_size} {stat.st_mtime_ns}"


class _Unfinished:
    """Decoded images on disk, beside where they will be, in two files that grow together: a NumPy array and a ledger.

    Their names carry a hash of what they are made from, so that work from another archive or size is not continued.
    Line i of the ledger has the SHA-256 of image file i, and a checksum of that, of its place and of its stored pixels.
    What is there is checked before it is continued, and once more before it is renamed.
    """

    LINE = 64 + 1 + 8 + 1  # bytes: SHA-256, a space, checksum, line break

    def __init__(self, images: Path, made_from: list[str], places: list[str], size: int):
        shape = (len(places), size, size, 3)
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        self._header, self._bytes, self._shape = stream.getvalue(), math.prod(shape[1:]), shape[1:]
        self.places = places
        key = hashlib.sha256("\n".join([*made_from, str(shape)]).encode()).hexdigest()[:16]
        self._array, self._ledger = (images.with_name(f".{images.name}.{key}.{kind}") for kind in ("npy", "ledger"))
        images.parent.mkdir(parents=True, exist_ok=True)
        for other in set(images.parent.glob(f".{images.name}.*")) - {self._array, self._ledger}:
            other.unlink()
        self._continue()

    @property
    def rest(self) -> list[str]:
        """The places of the images that are not there yet."""
        return self.places[self._done :]

    @contextmanager
    def opened(self) -> Iterator[Callable[[np.ndarray, str], None]]:
        """Yield a function that appends the next image and the SHA-256 of its file."""
        with open(self._array, "ab") as array, open(self._ledger, "ab") as ledger:

            def add(image: np.ndarray, digest: str) -> None:
                pixels = image.tobytes()
                array.write(pixels)
                ledger.write(_line(self.places[self._done], digest, pixels))
                self._done += 1

            yield add

    def black(self) -> np.ndarray:
        """Return an image that takes the place of one that cannot be read."""
        return np.zeros(self._shape, np.uint8)

    def check(self) -> None:
        """Refuse an array that is not the images of its places, in their order, from the first to the last byte."""
        size = len(self._header) + len(self.places) * self._bytes
        if self._sound() < len(self.places) or self._array.stat().st_size != size:
            raise UserError(
                f"{self._array} has images that do not belong to their places, or not as many as there are places: "
                "another process or a faulty disk changed it; see to it that nothing else writes there, and run again"
            )

    def digests(self) -> list[str]:
        """Return the SHA-256 of each image file."""
        return [line.split()[0] for line in self._ledger.read_text(encoding="ascii").splitlines()]

    def finish(self, images: Path) -> None:
        self._array.replace(images)
        self.delete()

    def delete(self) -> None:
        for path in (self._array, self._ledger):
            path.unlink(missing_ok=True)

    def _continue(self) -> None:
        """Keep the images that are whole and sound, from the first on, and note how many there are."""
        if not self._array.exists():
            self._array.write_bytes(self._header)
        self._ledger.touch()
        self._done = self._sound()
        stored = (self._array.stat().st_size - len(self._header)) // self._bytes
        if self._done < min(stored, self._ledger.stat().st_size // self.LINE):
            logging.warning("image %d and those after it are decoded again: they are not as stored", self._done)
        if not self._done:
            self._array.write_bytes(self._header)
        os.truncate(self._array, len(self._header) + self._done * self._bytes)
        os.truncate(self._ledger, self._done * self.LINE)
        if self._done:
            logging.info("%d images were decoded before: going on from there", self._done)

    def _sound(self) -> int:
        """Return how many images, from the first on, are stored as the ledger says."""
        with open(self._array, "rb") as array, open(self._ledger, "rb") as ledger:
            if array.read(len(self._header)) != self._header:
                return 0
            for number, place in enumerate(self.places):
                pixels, line = array.read(self._bytes), ledger.read(self.LINE)
                if len(pixels) < self._bytes or line != _line(place, line[:64].decode("ascii", "replace"), pixels):
                    return number
        return len(self.places)


def _line(place: str, digest: str, pixels: bytes) -> bytes:
    """Return the line of the ledger of an image: it differs for other pixels and for those of another place."""
    return f"{digest} {zlib.crc32(pixels, zlib.crc32(f'{place} {digest}'.encode())):08x}\n".encode()


def _check(name: str, dataset: Dataset, table: pd.DataFrame, archives: list[Path]) -> None:
    """Refuse a table that is not the published dataset."""
    where = f"{name} as read from {', '.join(map(str, archives))}"
    found = {str(label): int(count) for label, count in table["label"].value_counts().items()}
    _check_counts(dataset, found, where)
    if "split" in table and dataset.sizes:
        sizes = tuple(map(list(table["split"]).count, SPLITS))
        if sizes != dataset.sizes:
            raise UserError(f"{where} has {sizes} images for {', '.join(SPLITS)} where {dataset.sizes} are published")
    if not table["image_id"].is_unique:
        twice = table.loc[table["image_id"].duplicated(), "image_id"].iloc[0]
        raise UserError(f"{where} has two images named {twice!r}: {dataset.remedy}")


def _check_counts(dataset: Dataset, found: dict[str, int], where: str) -> None:
    """Refuse other numbers of images per class than were published; fewer are reported where images may lack."""
    labels = sorted({*dataset.counts, *found})
    counts = {label: (found.get(label, 0), dataset.counts.get(label, 0)) for label in labels}
    wrong = [
        f"{have} images of class {label!r} where {'some' if published is None else published} are published"
        for label, (have, published) in counts.items()
        if (not have if published is None else have != published)
    ]
    may_lack = all(0 < have <= (have if published is None else published) for have, published in counts.values())
    if wrong and "missing" in dataset.tolerated and may_lack:
        logging.warning("%s has %s: it goes on with these", where, ", ".join(wrong))
    elif wrong:
        raise UserError(f"{where} has {', '.join(wrong)}: {dataset.remedy}")
