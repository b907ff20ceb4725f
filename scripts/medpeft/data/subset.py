"""Nested, stratified fractions of the training images."""

from pathlib import Path

import numpy as np
import pandas as pd

from medpeft.base.files import read_table
from medpeft.data.labels import SEPARATOR, class_counts, is_multi_label


def subset(manifest: pd.DataFrame, split: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return image_id and share of each training image: it belongs to the fraction f of the images iff share < f.

    The share is the image's rank, from 0, in a random order of its class over the number of its class. So fractions are
    nested, hold every class in its proportion (rounded up), and never lack one. Validation and test are never cut.

    Where images have several labels, the rarest of an image counts as its class: the rarer a label is, the less chance
    may decide how many of it there are. Common labels, and images without any, come in their proportion likewise.
    """
    train = split.loc[split["split"] == "train", ["image_id"]].merge(manifest, on="image_id")
    random = np.random.default_rng(seed)
    classes = _rarest(train) if is_multi_label(train) else train["label"]
    share = train.groupby(classes)["image_id"].transform(lambda ids: random.permutation(len(ids)) / len(ids))
    return pd.DataFrame({"image_id": train["image_id"], "share": share})


def _rarest(images: pd.DataFrame) -> pd.Series:
    """Return the label of each image that the fewest of `images` have, empty where it has none."""
    counts = class_counts(images)

    def rarest(label: str) -> str:
        return min(label.split(SEPARATOR), key=lambda name: (counts.get(name, 0), name))

    return images["label"].map(rarest)


def training_images(table: Path, split: Path, subset: Path, fraction: float) -> int:
    """Return how many training images a run on `fraction` of them has; see `members`."""
    return int((members(table, split, subset, fraction)["split"] == "train").sum())


def members(table: Path, split: Path, subset: Path, fraction: float, whole: int | None = None) -> pd.DataFrame:
    """Return the rows that belong to a run on `fraction` of the training images, in their order.

    Args:
        table: The file of a manifest or of captions.
        split: The file of the split.
        subset: The file of the shares of the training images.
        fraction: Of the training images.
        whole: How many of them the fraction 1 stands for, all where there are fewer; None for all. With several classes
            it may be one more a class, for a class is rounded up.

    Returns:
        The columns of `table`, the number of the `row` in it, `split` and `cluster`, and for training `share`.
    """
    rows = read_table(table)
    rows["row"] = np.arange(len(rows))
    rows = rows.merge(read_table(split), on="image_id").merge(read_table(subset)[["image_id", "share"]], how="left")
    taken = fraction if whole is None else fraction * min(1, whole / (rows["split"] == "train").sum())
    return rows[(rows["split"] != "train") | (rows["share"] < taken)]
