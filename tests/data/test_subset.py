"""Fractions of the training images are nested, stratified and never lack a class."""

from itertools import pairwise
from math import ceil

import numpy as np
import pandas as pd
import pytest

from medpeft.data import subset as module
from medpeft.data.subset import subset

FRACTIONS = (0.01, 0.05, 0.07, 0.1, 0.29, 0.3, 0.5, 0.58, 0.8, 1)
SIZES = {"a": 300, "b": 70, "c": 3}


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a manifest and a split of it whose training images number `SIZES`, in mixed order."""
    rows = [(label, "train") for label, size in SIZES.items() for _ in range(size)]
    rows += [(label, name) for label in SIZES for name in ("validation", "test") for _ in range(20)]
    table = pd.DataFrame(rows, columns=["label", "split"]).sample(frac=1, random_state=0, ignore_index=True)
    table["image_id"] = [f"i{i:03d}" for i in range(len(table))]
    return table[["image_id", "label"]], table[["image_id", "split"]].sample(frac=1, random_state=1, ignore_index=True)


MANIFEST, SPLIT = tables()
LABEL = MANIFEST.set_index("image_id")["label"]


def members(seed: int, fraction: float) -> pd.Series:
    shares = subset(MANIFEST, SPLIT, seed)
    return shares.loc[shares["share"] < fraction, "image_id"]


@pytest.mark.parametrize("seed", range(5))
def test_all_and_only_training_images_have_a_share(seed):
    shares = subset(MANIFEST, SPLIT, seed)
    assert shares["image_id"].is_unique
    assert set(shares["image_id"]) == set(SPLIT.loc[SPLIT["split"] == "train", "image_id"])
    assert shares["share"].between(0, 1, inclusive="left").all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_each_class_gives_its_fraction_rounded_up(seed, fraction):
    counts = LABEL[members(seed, fraction)].value_counts()
    assert counts.to_dict() == {label: ceil(round(fraction * size, 9)) for label, size in SIZES.items()}


@pytest.mark.parametrize("seed", range(5))
def test_fractions_are_nested(seed):
    chosen = [set(members(seed, fraction)) for fraction in FRACTIONS]
    assert all(small <= large for small, large in pairwise(chosen))
    assert len(chosen[-1]) == sum(SIZES.values())


@pytest.mark.parametrize(("whole", "expected"), [(None, 373), (1000, 373), (200, 200), (100, 100)])
def test_fractions_are_shares_of_the_number_that_the_whole_stands_for(tmp_path, whole, expected):
    files = tmp_path / "manifest.csv", tmp_path / "split.csv", tmp_path / "subset.csv"
    for path, table in zip(files, (MANIFEST, SPLIT.assign(cluster=0), subset(MANIFEST, SPLIT, 0)), strict=True):
        table.to_csv(path, index=False)
    for fraction in (1, 0.5, 0.1):
        rows = module.members(*files, fraction, whole)
        assert (rows["split"] == "train").sum() == pytest.approx(expected * fraction, abs=len(SIZES))
        assert set(rows.loc[rows["split"] == "train", "label"]) == set(SIZES)
        assert (rows["split"] == "test").sum() == 60  # never cut


def test_a_seed_is_repeatable_and_another_one_differs():
    assert subset(MANIFEST, SPLIT, 3).equals(subset(MANIFEST, SPLIT, 3))
    assert set(members(3, 0.1)) != set(members(4, 0.1))


def test_every_image_is_as_likely_as_any_other():
    chosen = pd.concat([members(seed, 0.1) for seed in range(200)])
    counts = chosen[LABEL[chosen].to_numpy() == "a"].value_counts().reindex(LABEL.index[LABEL == "a"], fill_value=0)
    train = counts[counts.index.isin(SPLIT.loc[SPLIT["split"] == "train", "image_id"])]
    assert train.mean() == pytest.approx(20)
    assert np.abs(train - 20).max() < 6 * np.sqrt(200 * 0.1 * 0.9)
