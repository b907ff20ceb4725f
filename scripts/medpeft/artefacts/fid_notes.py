"""What a reader has to know of FIDs: the number of images, the features, the floor."""

import pandas as pd

from medpeft.artefacts.markup import number
from medpeft.artefacts.words import plain
from medpeft.base.frames import each_row
from medpeft.statistics.generation_scores import too_few


def floor_notes(cells: pd.DataFrame) -> list[str]:
    """Return what the FIDs on each dataset are to be read against: N, the features, and the floor."""
    return [
        f"{plain(row.dataset)}: N = {row.n_test:,.0f} generated images against as many real ones of the test set, in "
        f"the {row.features:,.0f} features of {row.feature_extractor}; floor: two halves of these real images "
        f"({row.floor_images:,.0f} each) have an FID of {number(row.floor_fid, 2)} and a KID of "
        f"{number(row.floor_kid, 4)} between them."
        for row in each_row(cells.drop_duplicates("dataset"))
    ]


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
