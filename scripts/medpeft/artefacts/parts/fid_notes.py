"""What a reader has to know of FIDs: the number of images, the features, the floor, and what they compare with."""

from typing import Any

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import interval, number
from medpeft.artefacts.words import percent, plain
from medpeft.base.frames import each_group, each_row
from medpeft.base.runs import CELL
from medpeft.statistics.generated.generation_scores import too_few

FID_DIGITS, KID_DIGITS = 2, 4
PUBLISHED_EXTRACTOR, PUBLISHED_IMAGES = "inception", 1000  # images on each side
PAIRS_TOLERANCE = 0.05  # of the published number of training pairs, which is rounded to thousands
ALONE = "the images alone, for these trained networks"  # what an interval of a single seed covers


def floor_notes(cells: pd.DataFrame) -> list[str]:
    """Return what the FIDs on each dataset are to be read against: N, the features, and the floor."""
    return [
        f"{plain(row.dataset)}: N = {row.n_test:,.0f} generated images against as many real ones of the test set, in "
        f"the {row.features:,.0f} features of {row.feature_extractor}. {floor_sentence(row)}"
        for row in each_row(cells.drop_duplicates("dataset"))
    ]


def floor_sentence(row: Any) -> str:
    """Return what real images score against the test images, or why that is not known."""
    if np.isnan(row.floor_fid):
        return (
            f"There is no floor: it takes {row.n_test:,.0f} real training images of other patients, and there are "
            f"{row.floor_pool:,.0f}."
        )
    fid = interval(row.floor_fid_low, row.floor_fid_high, digits=FID_DIGITS)
    kid = interval(row.floor_kid_low, row.floor_kid_high, digits=KID_DIGITS)
    return (
        f"Floor: as many real training images of other patients have an FID of {number(row.floor_fid, FID_DIGITS)} "
        f"{fid} and a KID of {number(row.floor_kid, KID_DIGITS)} {kid} against the same test images, means over "
        f"{row.floor_draws:.0f} random draws with 95 % intervals over draws and images."
    )


def fid_warnings(cells: pd.DataFrame) -> list[str]:
    """Return a warning for each dataset on which FID is computed of too few images."""
    return [
        f"Beware of the FIDs on {plain(row.dataset)}: {row.n_test:,.0f} images are fewer than the "
        f"{row.features:,.0f} features. FID grows with the ratio of features to images even between samples of one "
        "distribution, and fewer images than features leave its covariances singular: compare methods on these "
        "images, and no FID with one of another N. KID has no such bias."
        for row in each_row(cells.drop_duplicates("dataset"))
        if too_few(row.n_test, row.features)
    ]


def with_published_fid(cells: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Add the published FID, and the difference of ours, to the cells that it can be compared with.

    Dataset, diffusion pipeline, method, fraction, extractor and number of images are the same there, and the number of
    training pairs within `PAIRS_TOLERANCE`.
    """
    theirs = published.rename(columns={"fid": "published_fid", "n_train": "published_pairs"})
    cells = cells.merge(theirs, on=CELL, how="left")
    pairs = (cells["n_train"] - cells["published_pairs"]).abs() <= PAIRS_TOLERANCE * cells["published_pairs"]
    same = pairs & (cells["feature_extractor"] == PUBLISHED_EXTRACTOR) & (cells["n_test"] == PUBLISHED_IMAGES)
    fids = cells["published_fid"].where(same)
    return cells.assign(published_fid=fids, difference=cells["fid"] - fids).drop(columns="published_pairs")


def published_notes(cells: pd.DataFrame, published: pd.DataFrame) -> list[str]:
    """Return what published FIDs stand beside those of `cells`, and for what reasons others do not."""
    source = "Stable Diffusion on MIMIC-CXR, 1,000 images (Dutt et al. 2024, table 4)"
    notes = []
    if cells["published_fid"].notna().any():
        notes.append(
            f"Published: FID of {source}; in brackets the difference of ours, whose training pairs are as many within "
            f"{percent(PAIRS_TOLERANCE)}."
        )
    for (dataset, backbone), rows in each_group(cells, ["dataset", "backbone"]):
        if reasons := _differing(dataset, backbone, rows, published):
            notes.append(
                f"Not beside the FIDs on {plain(dataset)}, {backbone}: those of {source}, which differ in "
                f"{'; '.join(reasons)}."
            )
    return notes


def _differing(dataset: str, backbone: str, rows: pd.DataFrame, published: pd.DataFrame) -> list[str]:
    """Return in what the published FIDs differ from these, the cells of one dataset and diffusion pipeline."""
    images, extractor = rows["n_test"].iloc[0], rows["feature_extractor"].iloc[0]
    reasons = []
    if dataset not in set(published["dataset"]):
        reasons.append("dataset")
    if backbone not in set(published["backbone"]):
        reasons.append("diffusion pipeline")
    if extractor != PUBLISHED_EXTRACTOR:
        reasons.append(f"extractor ({PUBLISHED_EXTRACTOR})")
    if images != PUBLISHED_IMAGES:
        reasons.append(f"number of images (N = {PUBLISHED_IMAGES:,} against {images:,.0f} here)")
    if dataset in set(published["dataset"]):
        theirs = published.groupby("fraction")["n_train"].max()
        for row in each_row(rows.sort_values("fraction", ascending=False).drop_duplicates("fraction")):
            fraction, ours, pairs = row.fraction, row.n_train, theirs.get(row.fraction, np.nan)
            if not abs(ours - pairs) <= PAIRS_TOLERANCE * pairs:
                known = "none" if np.isnan(pairs) else f"{pairs:,.0f}"
                reasons.append(f"training pairs at {percent(fraction)} ({known} against {ours:,.0f} here)")
    return reasons
