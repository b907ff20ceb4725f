"""MedMNIST+: public image collections at one size, with their own split (Yang et al. 2023, Scientific Data 10:41).

Each is one NumPy archive on Zenodo with the arrays `<split>_images` (N, 224, 224) or (N, 224, 224, 3) and
`<split>_labels` (N, 1) for the splits train, val and test; of ChestMNIST the labels are (N, 14), each 0 or 1.
"""

import io
from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.data.archives import Source
from medpeft.data.dataset import Archive, Caveat, Dataset
from medpeft.data.labels import LabelKind, in_words, joined

# Addresses, MD5 sums, sizes, licences and classes are those of the publisher's own list (medmnist 3.0.2, info.py). It
# has no counts per class: those here are the sources' own, and add up to its sizes.
SPLIT_NAMES = {"train": "train", "val": "validation", "test": "test"}
ZENODO = "https://zenodo.org/records/10519652/files"
CAVEATS = (Caveat("Patients are not known, so that `grouped` keeps only duplicates on one side.", protocol="grouped"),)
NINE_TO_ONE = Caveat(
    "Training and validation are nine to one of one set; that a patient's images were kept together is not said.",
    protocol="paper",
)
# The classes of the three collections of abdominal CT, in the order of their numbers.
ORGANS = (
    "bladder",
    "left femur",
    "right femur",
    "heart",
    "left kidney",
    "right kidney",
    "liver",
    "left lung",
    "right lung",
    "pancreas",
    "spleen",
)
ORGAN_SOURCE = "LiTS, Bilic et al. 2023, Medical Image Analysis 84:102680"
ORGAN_CAVEATS = (
    Caveat(
        "The publisher's split keeps a scan on one side (115 CT scans for training, 16 for validation, 70 for test) "
        "but does not tell which images are of one scan: `grouped`, which draws another split, separates less than "
        "`paper`.",
        protocol="grouped",
    ),
    "The organs are cut out of CT volumes and can be told by shape and place alone.",
)


def medmnist(
    name: str,
    title: str,
    counts: Mapping[str, int | None],
    sizes: tuple[int, int, int],
    md5: str,
    source: str,
    licence: str = "CC BY 4.0",
    caveats: tuple[str, ...] = (),
    labels: LabelKind = "multi-class",
    positive: str | None = None,
) -> Dataset:
    """Return the collection `name` at 224 pixels.

    Args:
        name: As the publisher's file is called, without its size.
        title: Its name in tables and texts.
        counts: Images per class, the classes in the order of their numbers.
        sizes: Images for training, validation and test.
        md5: Of the publisher's file.
        source: What the images were taken from.
        licence: Under which terms the images may be used.
        caveats: What a reader of its scores must know, in sentences.
        labels: Whether classes exclude each other, and have an order.
        positive: Of two classes, the one that is looked for.
    """
    archive = f"{name}_224.npz"
    return Dataset(
        title=title,
        archives=(Archive(archive, (f"{ZENODO}/{archive}?download=1",), f"md5:{md5}"),),
        index=partial(_index, title=title, labels=list(counts), several=labels == "multi-label"),
        counts=counts,
        sizes=sizes,
        licence=licence,
        access="public, no account (Zenodo, doi:10.5281/zenodo.10519652)",
        citation=f"Yang et al. 2023, Scientific Data 10:41, doi:10.1038/s41597-022-01721-8; images: {source}",
        caveats=(*caveats, *CAVEATS),
        labels=labels,
        classes=None if labels == "multi-class" else tuple(counts),
        positive=positive,
    )


def _index(archive: Source, title: str, labels: list[str], several: bool) -> pd.DataFrame:
    """Return one row an image, `<split>_<number>`, with the publisher's split; see `Dataset.index`."""
    tables = [_one_split(archive, split, title, labels, several) for split in SPLIT_NAMES]
    return pd.concat(tables).sort_values("image_id", ignore_index=True)


def _one_split(archive: Source, split: str, title: str, labels: list[str], several: bool) -> pd.DataFrame:
    numbers = np.load(io.BytesIO(archive.read(f"{split}_labels.npy")), allow_pickle=False)
    images = [name for name in archive.names() if name.startswith(f"{split}_images/")]
    values, width = (2, len(labels)) if several else (len(labels), 1)
    if numbers.shape != (len(images), width) or not set(numbers.ravel().tolist()) <= set(range(values)):
        raise UserError(
            f"{archive.path} has {len(images)} images and {len(numbers)} labels for {split}, or labels other than 0 to "
            f"{values - 1}: delete it, and run again to fetch a sound copy"
        )
    if several:
        label = joined(pd.DataFrame(numbers, columns=labels)).tolist()
    else:
        label = [labels[number] for number in numbers.ravel()]
    image_id = [f"{split}_{number:06d}" for number in range(len(images))]
    return pd.DataFrame(
        {
            "image_id": image_id,
            "group_id": image_id,
            "label": label,
            "caption": [f"{title}, {in_words(name) if several else name}." for name in label],
            "source_file": [f"{archive.path.name}/{name}" for name in images],
            "split": SPLIT_NAMES[split],
        }
    )
