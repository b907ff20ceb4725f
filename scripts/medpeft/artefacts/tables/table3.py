"""The score of every method, beside the published F1: supervised vision transformers in the published study."""

from functools import partial

import pandas as pd

from medpeft.artefacts.parts.benchmark import EXACT, benchmark
from medpeft.artefacts.registry import Table

CAPTION = "{metric} of each method on {networks}, with {most_data}{published}."
TABLE = Table(
    CAPTION,
    "answers",
    2,
    ("runs", "scores", "searches", "floors", "primary"),
    published=("table3",),
    experiments=("table3",),
)


def rank(scores: pd.DataFrame) -> pd.Series:
    """Return the rank of each method as the published table gives it, from scores with one row a block."""
    return scores.round(EXACT).rank(axis="columns", ascending=False).mean(skipna=False)


make = partial(
    benchmark,
    "table3",
    ranking=rank,
    rank_note="Rank: mean of the ranks within each dataset and backbone, ties averaged.",
)
