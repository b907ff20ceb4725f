"""What the generated images of a study scored, one row a cell, as table 4 and the paper tell it."""

import pandas as pd

from medpeft.base.runs import CELL
from medpeft.statistics.collect import REFERENCE_COLUMNS, distinct
from medpeft.statistics.metrics import shown_in

UNTUNED = "untuned"  # the method that leaves the diffusion pipeline as it is


def generation_scores(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row a cell of the experiment table4 of `runs.csv`.

    A row has dataset, backbone, method, fraction, n_train, n_runs and n_failed. It has n_test, the number of real
    images and of generated ones, and `REFERENCE_COLUMNS`, which are the same for all runs of a cell. Of each metric of
    generated images it has the mean over the seeds that did not fail, and the standard deviation as `<metric>_std`.
    """
    cells = distinct(runs[runs["experiment"] == "table4"], "text-to-image").groupby(CELL, sort=False)
    counts = cells.agg(
        n_train=("n_train", "max"),
        n_runs=("status", "size"),
        n_failed=("status", lambda status: int((status != "ok").sum())),
        **{column: (column, "first") for column in ("n_test", *REFERENCE_COLUMNS)},
    )
    scores = cells[shown_in("generation")]
    return counts.join(scores.mean()).join(scores.std().add_suffix("_std")).reset_index()


def too_few(images: float, features: float) -> bool:
    """Tell whether FID of so many images on each side is more bias than measurement.

    FID compares covariance matrices of d `features`. Of two samples of n images of one distribution it is about
    d / (2 n) of the total variance of the features, where it should be 0 (equal variances, n well above d). With n at d
    that is no small share any more, and below d the matrices are singular.
    """
    return images < features
