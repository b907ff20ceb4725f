"""F1 of every method on vision transformers with supervised pretraining, beside the published values."""

import pandas as pd

from medpeft.artefacts.benchmark import EXACT, benchmark
from medpeft.artefacts.markup import Layout
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources

TABLE = Table(
    caption="Micro-F1 of each method on vision transformers with supervised pretraining, with {most_data} (the "
    "published table 3).",
    section="answers",
    place=2,
    sources=("runs", "scores"),
    published=("table3",),
    experiments=("table3",),
)
RANK_NOTE = "Rank: mean of the ranks within each dataset and backbone, ties averaged."


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """Return the numbers and the layout of the table."""
    return benchmark("table3", sources, rank, RANK_NOTE)


def rank(f1: pd.DataFrame) -> pd.Series:
    """Return the rank of each method as the published table gives it, from F1 with one row a dataset and backbone."""
    return f1.round(EXACT).rank(axis="columns", ascending=False).mean(skipna=False)
