"""The datasets: each is the module of its name in the folder `datasets`, holding one `DATASET`."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medpeft.base.errors import UserError

FOLDER = Path(__file__).parent / "datasets"  # one module each


class Link(NamedTuple):
    """A file somewhere in the web, what it is to be called, and its MD5 (empty where that is unknown)."""

    name: str
    url: str
    md5: str = ""


@dataclass(frozen=True)
class Archive:
    """One file as its publisher offers it; it is kept under `name` and read without being unpacked.

    `urls` are tried in order after the study's mirror; besides web addresses there are `kaggle:datasets/<owner>/<name>`
    and `kaggle:competitions/<name>`. `checksum` is `sha256:<hex>` or `md5:<hex>`, or None where the publisher gives
    none. A simulated dataset has `generate(path)` in place of addresses. Where the files of an archive are scattered
    over the web, `links(path)` returns them, read from the archive called `listed_in` of the same dataset.
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

    `index(archives)` takes one opened `medpeft.data.archives.Source` for each of `archives`, in their order, and
    returns one row an image with the columns image_id (unique), group_id (patient, lesion or eye; the image_id where
    unknown), label (one of `counts`), caption, and source_file (`<archive name>/<member>`), sorted by image_id. It
    may add split (the publisher's own: train, validation or test) and source (the collection or device that an image
    comes from). `counts` are the published images per class, None where no number is published; `prepare` checks them.
    `sizes` are the images for training, validation and test in the study that is reproduced; without them its
    proportions are taken to be 70, 10 and 20 %. Where images have vanished since they were published,
    `may_lack_images` says that fewer than `counts` are reported, not refused. `access` says how each archive
    without an address is obtained.
    """

    title: str
    archives: tuple[Archive, ...]
    index: Callable[..., pd.DataFrame]
    counts: dict[str, int | None]
    licence: str
    access: str
    citation: str
    caveats: tuple[str, ...] = ()
    sizes: tuple[int, int, int] | None = None
    may_lack_images: bool = False


def names() -> list[str]:
    """Return the names of all datasets, sorted, without importing them."""
    return sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]))


def load(name: str, declared: dict | None = None) -> Dataset:
    """Return the dataset `name`, or the user's own one as the study has `declared` it.

    Raises:
        UserError: There is no such dataset; the message lists those there are.
    """
    if declared:
        from medpeft.data.user_dataset import user_dataset

        return user_dataset(name, declared)
    if name not in names():
        raise UserError(f"there is no dataset {name!r}: choose among {', '.join(names())}")
    return importlib.import_module(f"medpeft.data.datasets.{name}").DATASET


def file_of(name: str, own: bool) -> Path:
    """Return the file that says how the dataset `name`, the user's `own` or one of the project's, is read."""
    return FOLDER.parent / "user_dataset.py" if own else FOLDER / f"{name}.py"
