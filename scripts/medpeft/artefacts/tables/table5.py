"""F1 of every method on vision transformers with self-supervised pretraining, beside the published values."""

from functools import partial

import pandas as pd

from medpeft.artefacts.benchmark import EXACT, benchmark
from medpeft.artefacts.registry import Table

CAPTION = (
    "Micro-F1 of each method on vision transformers with self-supervised pretraining, with {most_data} (the published "
    "table 5)."
)
TABLE = Table(CAPTION, "answers", 3, ("runs", "scores", "floors"), published=("table5",), experiments=("table5",))


def rank(f1: pd.DataFrame) -> pd.Series:
    """Return the rank of each method as the published table gives it, from F1 with one row a dataset and backbone."""
    return f1.mean(skipna=False).round(EXACT).rank(ascending=False, method="first")


make = partial(benchmark, "table5", ranking=rank, rank_note="Rank: of the average, all different.")
