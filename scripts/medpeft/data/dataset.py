"""What is known of a dataset, of its archives, and of files that are scattered over the web."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.losses import Losses
from medpeft.data.archives import FETCH_AGAIN, Source
from medpeft.data.labels import LabelKind, Labels, refusal

OWN = "your own"  # how a dataset is obtained that the study declares


class Caveat(str):
    """A sentence of warning that holds for studies of one kind alone; a plain string holds for all.

    Args:
        text: The sentence.
        protocol: The protocol of the split that it is about, as `paper`; None for any.
        task: What is learned, `classification` or `text-to-image`; None for both.
    """

    protocol: str | None
    task: str | None

    def __new__(cls, text: str, protocol: str | None = None, task: str | None = None) -> "Caveat":
        caveat = super().__new__(cls, text)
        caveat.protocol, caveat.task = protocol, task
        return caveat


class Link(NamedTuple):
    """A file somewhere in the web: its name here, its address, and its MD5 (empty where that is unknown)."""

    name: str
    url: str
    md5: str = ""


@dataclass(frozen=True)
class Archive:
    """One file as its publisher offers it. It is kept under its name and read without being unpacked.

    Args:
        name: What the file is called here, and in the study's mirror.
        urls: Where it is published, tried in order after the mirror: web addresses,
            `kaggle:datasets/<owner>/<name>` and `kaggle:competitions/<name>`.
        checksum: `sha256:<hex>` or `md5:<hex>`; None where the publisher gives none.
        generate: Writes the archive of a simulated dataset to a path; it takes the place of addresses.
        links: Reads, from the archive `listed_in`, where the files of this one are scattered over the web.
        listed_in: The name of that archive, of the same dataset.
    """

    name: str
    urls: tuple[str, ...] = ()
    checksum: str | None = None
    generate: Callable[[Path], None] | None = None
    links: Callable[[Path], list[Link]] | None = None
    listed_in: str | None = None


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset before it is fetched, and how its archives are read.

    Args:
        title: Its name in tables and texts.
        archives: The files that it is published as.
        index: Takes one opened `medpeft.data.archives.Source` for each of `archives`, in their order, and returns one
            row an image, sorted by image_id. The columns are image_id (unique), group_id (patient, lesion or eye; the
            image_id where unknown), label (one of `counts`), caption, and source_file (`<archive name>/<member>`).
            There may also be split (the publisher's own: train, validation or test) and source (the collection or
            device that an image comes from), and there are `attributes`. With several labels an image, label and
            unknown are as `medpeft.data.labels` says.
        counts: Published images per class, None where no number is published; `prepare` checks them.
        licence: Under which terms the images may be used.
        access: How each archive without an address is obtained.
        citation: What to cite.
        caveats: What a reader of its scores must know, in sentences; a `Caveat` says which studies it is about.
        sizes: Images for training, validation and test in the study that is reproduced. Without them 70, 10 and 20 %
            are taken.
        tolerated: Reasons of losses that the caveats speak of: they are counted and stop nothing. With `missing`,
            images have vanished since they were published: fewer than `counts` are no fault.
        remedy: What to do about an archive that cannot be used.
        frame: Which frame is taken of a file that holds several; see `medpeft.data.formats.picture.Reading`.
        labels: Whether classes exclude each other, and have an order.
        classes: Their order; None sorts their names. Ordinal and multi-label datasets need it.
        positive: Of two classes of a binary dataset, the one that is looked for.
        attributes: Columns of the index that may form subgroups, such as sex and age; see
            `medpeft.data.attributes`.

    Raises:
        UserError: Classes, their kind and `positive` do not fit together.
    """

    title: str
    archives: tuple[Archive, ...]
    index: Callable[..., pd.DataFrame]
    counts: Mapping[str, int | None]
    licence: str
    access: str
    citation: str
    caveats: tuple[str, ...] = ()
    sizes: tuple[int, int, int] | None = None
    tolerated: tuple[str, ...] = ()
    remedy: str = FETCH_AGAIN
    frame: str | int | None = None
    labels: LabelKind = "multi-class"
    classes: tuple[str, ...] | None = None
    positive: str | None = None
    attributes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse classes that do not fit their kind."""
        reason = refusal(self.labels, self.counts, self.positive)
        if self.classes is None and self.labels in ("ordinal", "multi-label"):
            reason = f"the task {self.labels} needs an order of its classes: give `classes`"
        elif self.classes is not None and sorted(self.classes) != sorted(self.counts):
            reason = "`classes` and `counts` name other classes: name the same in both"
        if reason:
            raise UserError(f"the dataset {self.title!r} cannot be: {reason}")

    def told_labels(self) -> Labels:
        """Return the kind and the order of its classes."""
        return Labels(self.labels, self.classes or tuple(sorted(self.counts)), self.positive)

    def archive(self, name: str, checksum: str | None = None) -> Archive:
        """Return the archive called `name`, with `checksum` in place of the published one where it is given."""
        archive = next(archive for archive in self.archives if archive.name == name)
        return replace(archive, checksum=checksum or archive.checksum)

    @property
    def own(self) -> bool:
        """Whether it is one of the user's own."""
        return self.access == OWN

    def caveats_of(self, protocol: str, tasks: Collection[str]) -> list[str]:
        """Return the caveats about studies that split by `protocol` and learn such `tasks`."""
        told = [(text, text if isinstance(text, Caveat) else Caveat(text)) for text in self.caveats]
        return [
            text
            for text, caveat in told
            if caveat.protocol in (None, protocol) and (caveat.task is None or caveat.task in tasks)
        ]

    def listing(self, archives: list[Path]) -> tuple[pd.DataFrame, Losses]:
        """Return the index of the dataset (see `index`), and what its `archives` hold that is not in it."""
        sources = [Source(archive, self.remedy) for archive in archives]
        table, losses = self.index(*sources), Losses()
        for source in sources:
            losses.update(source.losses)
        return table, losses
