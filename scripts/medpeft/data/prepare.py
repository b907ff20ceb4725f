"""Images of any common format to one array of equal squares, and the table that says what each is."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from medpeft.base.errors import UserError
from medpeft.base.files import write_json, write_table
from medpeft.base.losses import Losses
from medpeft.data.archives import Source
from medpeft.data.dataset import Dataset
from medpeft.data.decode import Decoded, decode
from medpeft.data.formats.picture import Reading
from medpeft.data.labels import LABELS_FILE, UNKNOWN, class_counts
from medpeft.data.split import SPLITS
from medpeft.data.stored.appearance import Notes
from medpeft.data.stored.unfinished import Unfinished, keep_rows

MANIFEST_COLUMNS = ["image_id", "group_id", "label", "source_file", "sha256"]
OPTIONAL_COLUMNS = ["split", "source", UNKNOWN]  # of datasets that have them
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
        image; see `medpeft.data.stored.appearance`. `labels.json` beside `manifest` says what kind of labels there are.

    Raises:
        UserError: More is lost than the study accepts, some of it images that cannot be read, or the images per class
            differ from the published counts: the log lists all of these.
    """
    reading = replace(reading or Reading(), frame=dataset.frame)
    listed, losses = dataset.listing(archives)
    apart = {"caption", *dataset.attributes} - {*OPTIONAL_COLUMNS}  # see `medpeft.data.captions` and `attributes`
    table = listed.drop(columns=sorted(apart))
    if dataset.labels == "multi-label" and UNKNOWN not in table:
        table[UNKNOWN] = ""
    for line in losses.lines():
        logging.info(line)
    accepted = {reason: len(losses.names(reason)) for reason in dataset.tolerated} | dict(accepted or {})
    losses.refuse(f"{name} as read from {', '.join(map(str, archives))}", name, accepted)
    _check(name, dataset, table, archives)
    made_from = [table.to_csv(), *map(_state, archives), str(reading)]
    unfinished = Unfinished(images, made_from, table["source_file"].tolist(), size)
    notes = Notes(images.with_name(".pixels.notes"), str(reading))
    load = partial(_load, {archive.name: archive for archive in archives}, size, reading, dataset.remedy)
    try:
        _decode_all(load, processes, unfinished, notes)
        unfinished.check()
        _note_again(load, unfinished, notes)
        table = table.assign(sha256=unfinished.digests())
        readable = table["sha256"] != UNREADABLE
        _refuse_unreadable(load, table.loc[~readable, "source_file"].tolist(), name, accepted, losses)
        _check_classes(table, table[readable])
    except Exception:
        unfinished.delete()
        notes.delete()
        raise
    table = table[readable]
    optional = [column for column in OPTIONAL_COLUMNS if column in table]
    write_table(images.with_name("pixels.csv"), notes.table(table["image_id"], table["sha256"]))
    write_table(manifest, table[MANIFEST_COLUMNS + optional])
    write_json(manifest.with_name(LABELS_FILE), dataset.told_labels().entry())
    unfinished.finish(images)
    if not readable.all():
        keep_rows(images, np.flatnonzero(readable))
    notes.delete()
    return losses


Load = Callable[[str], tuple[Decoded | None, str]]  # the image at a place, and its SHA-256 or why there is none


def _decode_all(load: Load, processes: int, unfinished: Unfinished, notes: Notes) -> None:
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


def _note_again(load: Load, unfinished: Unfinished, notes: Notes) -> None:
    """Note what was found in images whose notes are lost, as the machine stopped before they were on the disk."""
    for place, digest in zip(unfinished.places, unfinished.digests(), strict=True):
        if digest != UNREADABLE and digest not in notes:
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
        source = _opened(archive, remedy, archive.stat().st_mtime_ns)
        content = source.read(member)
        decoded = decode(content, size, f"{member!r} in {source.where}", reading, source.remedy)
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


def _check_classes(listed: pd.DataFrame, readable: pd.DataFrame) -> None:
    """Refuse a dataset of which a class has no readable image."""
    if lost := sorted(class_counts(listed).keys() - class_counts(readable)):
        raise UserError(
            f"no image of class {lost[0]!r} can be read: the log names each; put sound copies in their place"
        )


@lru_cache(maxsize=8)
def _opened(archive: Path, remedy: str, _changed: int) -> Source:
    """Return `archive`, opened once a process unless it changed."""
    return Source(archive, remedy)


def _state(archive: Path) -> str:
    stat = archive.stat()
    return f"{archive} {stat.st_size} {stat.st_mtime_ns}"


def _check(name: str, dataset: Dataset, table: pd.DataFrame, archives: list[Path]) -> None:
    """Refuse a table that is not the published dataset."""
    where = f"{name} as read from {', '.join(map(str, archives))}"
    _check_counts(dataset, class_counts(table), where)
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
