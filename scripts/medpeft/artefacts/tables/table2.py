"""The score of every method, beside the published F1: convolutional networks in the published study."""

from functools import partial

import pandas as pd

from medpeft.artefacts.parts.benchmark import EXACT, benchmark
from medpeft.artefacts.registry import Table

CAPTION = "{metric} of each method on {networks}, with {most_data}{published}."
TABLE = Table(
    CAPTION,
    "answers",
    1,
    ("runs", "scores", "searches", "floors", "primary"),
    published=("table2",),
    experiments=("table2",),
)


def rank(scores: pd.DataFrame) -> pd.Series:
    """Return the rank of each method as the published table gives it, from scores with one row a block."""
    return scores.mean(skipna=False).round(EXACT).rank(ascending=False, method="dense")


make = partial(benchmark, "table2", ranking=rank, rank_note="Rank: of the average; equal averages share one.")
