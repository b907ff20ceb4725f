"""What the generated images of a study scored, as table 4 and the paper tell it."""

import pandas as pd

from medpeft.base.runs import CELL
from medpeft.statistics.collect import distinct

UNTUNED = "untuned"  # the pipeline as it is
SCORES = ["fid", "kid", "precision", "recall"]
# The same for all runs of a cell.
FACTS = ["n_test", "feature_extractor", "features", "floor_fid", "floor_kid", "floor_images"]


def generations(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row a cell of the experiment table4 of `runs.csv`.

    A row has dataset, backbone, method, fraction, n_train, n_runs, n_failed, the `FACTS` (the number of real images
    and of generated ones is n_test), and the mean over the seeds that did not fail of each of `SCORES`, with its
    standard deviation as `<score>_std`.
    """
    cells = distinct(runs[runs["experiment"] == "table4"], "text-to-image").groupby(CELL, sort=False)
    counts = cells.agg(
        n_train=("n_train", "max"),
        n_runs=("status", "size"),
        n_failed=("status", lambda status: int((status != "ok").sum())),
        **{name: (name, "first") for name in FACTS},
    )
    return counts.join(cells[SCORES].mean()).join(cells[SCORES].std().add_suffix("_std")).reset_index()


def too_few(images: float, features: float) -> bool:
    """Tell whether FID of so many images on each side is more bias than measurement.

    FID compares covariance matrices of d `features`. Of two samples of n images of one distribution it is about
    d / (2 n) of the total variance of the features, where it should be 0 (equal variances, n well above d); with n at d
    that is no small share any more, and below d the matrices are singular.
    """
    return images < features
