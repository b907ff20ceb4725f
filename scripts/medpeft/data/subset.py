"""Nested, stratified fractions of the training images."""

from pathlib import Path

import numpy as np
import pandas as pd

from medpeft.base.files import read_table


def subset(manifest: pd.DataFrame, split: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return image_id and share of each training image: it belongs to the fraction f of the images iff share < f.

    The share is the image's rank, from 0, in a random order of its class over the number of its class. So fractions are
    nested, hold every class in its proportion (rounded up), and never lack one. Validation and test are never cut.
    """
    train = split.loc[split["split"] == "train", ["image_id"]].merge(manifest[["image_id", "label"]], on="image_id")
    random = np.random.default_rng(seed)
    share = train.groupby("label")["image_id"].transform(lambda ids: random.permutation(len(ids)) / len(ids))
    return pd.DataFrame({"image_id": train["image_id"], "share": share})


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
