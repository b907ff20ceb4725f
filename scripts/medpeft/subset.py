"""Nested, stratified fractions of the training images."""

import numpy as np
import pandas as pd


def subset(manifest: pd.DataFrame, split: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return image_id and share of each training image: it belongs to the fraction f of the images iff share < f.

    The share is the image's rank, from 0, in a random order of its class over the number of its class, so that
    fractions are nested, hold every class in its proportion (rounded up), and never lack one. Validation and test are
    never cut.
    """
    train = split.loc[split["split"] == "train", ["image_id"]].merge(manifest[["image_id", "label"]], on="image_id")
    random = np.random.default_rng(seed)
    share = train.groupby("label")["image_id"].transform(lambda ids: random.permutation(len(ids)) / len(ids))
    return pd.DataFrame({"image_id": train["image_id"], "share": share})
