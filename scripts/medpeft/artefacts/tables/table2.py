"""F1 of every method on convolutional networks, beside the published values."""

import pandas as pd

from medpeft.artefacts.benchmark import EXACT, benchmark
from medpeft.artefacts.markup import Layout
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources

TABLE = Table(
    caption="Micro-F1 of each method on convolutional networks, with {most_data} (the published table 2).",
    section="answers",
    place=1,
    sources=("runs", "scores"),
    published=("table2",),
    experiments=("table2",),
)
RANK_NOTE = "Rank: of the average; equal averages share one."


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """Return the numbers and the layout of the table."""
    return benchmark("table2", sources, rank, RANK_NOTE)


def rank(f1: pd.DataFrame) -> pd.Series:
    """Return the rank of each method as the published table gives it, from F1 with one row a dataset and backbone."""
    return f1.mean(skipna=False).round(EXACT).rank(ascending=False, method="dense")
