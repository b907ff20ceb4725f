"""The datasets: each is the module of its name beside this one, holding one `DATASET`."""

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medpeft.errors import UserError


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

    `index(archives)` takes one opened `medpeft.archives.Source` for each of `archives`, in their order, and returns one
    row an image with the columns image_id (unique), group_id (patient, lesion or eye; the image_id where unknown),
    label (one of `counts`), caption, and source_file (`<archive name>/<member>`), sorted by image_id. It may add split
    (the publisher's own: train, validation or test) and source (the collection or device that an image comes from).
    `counts` are the published images per class, None where no number is published; `prepare` checks them. `sizes` are
    the images for training, validation and test in the study that is reproduced; without them its proportions are taken
    to be 70, 10 and 20 %. Where images have vanished since they were published, `may_lack_images` says that fewer than
    `counts` are reported, not refused. `access` says how each archive without an address is obtained.
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
    here = Path(__file__).parent
    return sorted(module.name for module in pkgutil.iter_modules([str(here)]) if module.name != "registry")


def load(name: str, own: dict | None = None) -> Dataset:
    """Return the dataset `name`, or the study's own one as it declares it; an unknown one is a `UserError`."""
    if own:
        from medpeft.own import own_dataset

        return own_dataset(name, own)
    if name not in names():
        raise UserError(f"there is no dataset {name!r}: choose among {', '.join(names())}")
    return importlib.import_module(f"medpeft.datasets.{name}").DATASET


def code(name: str, own: dict | None = None) -> list[str]:
    """Return the files below medpeft/, without suffix, that say how the dataset `name` is read."""
    if own:
        return ["own"]
    text = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    imported = re.findall(r"^from medpeft\.(medmnist|datasets\.\w+) import", text, re.MULTILINE)
    return [f"datasets/{name}", *(module.replace(".", "/") for module in imported if module != "datasets.registry")]
