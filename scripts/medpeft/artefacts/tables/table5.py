"""The score of every method, beside the published F1: self-supervised vision transformers in the published study."""

from functools import partial

import pandas as pd

from medpeft.artefacts.parts.benchmark import EXACT, benchmark
from medpeft.artefacts.registry import Table

CAPTION = "{metric} of each method on {networks}, with {most_data}{published}."
TABLE = Table(
    CAPTION,
    "answers",
    3,
    ("runs", "scores", "searches", "floors", "primary"),
    published=("table5",),
    experiments=("table5",),
)


def rank(scores: pd.DataFrame) -> pd.Series:
    """Return the rank of each method's average, the best one of methods that tie, from scores with one row a block."""
    return scores.mean(skipna=False).round(EXACT).rank(ascending=False, method="min")


NOTE = (
    "Rank: of the average; methods that tie share the better rank, those of the published F1 as well. The published "
    "table numbers its methods instead, so that methods with one average have different ranks there."
)
make = partial(benchmark, "table5", ranking=rank, rank_note=NOTE)
