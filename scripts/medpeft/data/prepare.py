"""Images of any common format to one array of equal squares, and the table that says what each is."""

import hashlib
import io
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from medpeft.base.errors import UserError
from medpeft.base.files import write_table
from medpeft.base.losses import Losses
from medpeft.data.archives import Source
from medpeft.data.dataset import Dataset
from medpeft.data.decode import decode
from medpeft.data.split import SPLITS

MANIFEST_COLUMNS = ["image_id", "group_id", "label", "source_file", "sha256"]
OPTIONAL_COLUMNS = ["split", "source"]  # of datasets that have them


def prepare(
    name: str,
    dataset: Dataset,
    archives: list[Path],
    size: int,
    images: Path,
    manifest: Path,
    processes: int = 1,
    accepted: Mapping[str, int] | None = None,
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

    Returns:
        What the archives hold that is not used.

    Raises:
        UserError: More is lost than the study accepts, the images per class differ from the published counts, or some
            images cannot be read: the log lists all of these.
    """
    listed, losses = dataset.listing(archives)
    table = listed.drop(columns="caption")  # see `medpeft.data.captions`
    for line in losses.lines():
        logging.info(line)
    tolerated = {reason: len(losses.names(reason)) for reason in dataset.tolerated}
    losses.refuse(f"{name} as read from {', '.join(map(str, archives))}", name, tolerated | dict(accepted or {}))
    _check(name, dataset, table, archives)
    places = table["source_file"].tolist()
    unfinished = _Unfinished(images, [table.to_csv(), *map(_state, archives)], (len(table), size, size, 3))
    try:
        _decode_all({archive.name: archive for archive in archives}, places, size, processes, unfinished)
    except Exception:
        unfinished.delete()
        raise
    optional = [column for column in OPTIONAL_COLUMNS if column in table]
    write_table(manifest, table.assign(sha256=unfinished.digests())[MANIFEST_COLUMNS + optional])
    unfinished.finish(images)
    return losses


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
        self._array, self._digests = (images.with_name(f".{images.name}.{key}.{kind}") for kind in ("npy", "sha256"))
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
