"""Mean ranks over datasets with their intervals; bars join methods whose ranks do not differ, where a test can tell."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MultipleLocator

from medpeft.artefacts.markup import number
from medpeft.artefacts.palette import style
from medpeft.artefacts.panels import line_look, panels
from medpeft.artefacts.registry import Figure
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import ENCODERS, percent
from medpeft.base.frames import each_row

CAPTION = (
    "Mean ranks over datasets with 95 % intervals. Bars join methods whose mean ranks differ by less than Nemenyi's "
    "critical difference; there are none where so few datasets cannot show a difference."
)
FIGURE = Figure(CAPTION, "choice", 4, ("ranks", "friedman"), requires=("ranks",), narrow=(2, 60))


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """Mean ranks over datasets with their intervals; bars join methods whose ranks do not differ (Nemenyi, .05).

    The diagram of Demsar (2006), with intervals: one panel a kind of encoder and data size that has ranks.
    """
    tests = sources.friedman[sources.friedman["datasets"] > 1]
    ranks = sources.ranks.merge(tests[["encoder", "fraction", "methods", "critical_difference"]])

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        rows = rows.sort_values(["mean_rank", "method"])
        length = rows["critical_difference"].iloc[0]
        cliques = [] if np.isnan(length) else joined(rows["mean_rank"].to_numpy(), length)
        _draw_ranks(axes, rows, cliques)

    def title(key: Any) -> str:
        rows = ranks[(ranks["encoder"] == key[0]) & (ranks["fraction"] == key[1])]
        return f"{ENCODERS[key[0]]}, {percent(key[1])}, {rows['datasets'].iloc[0]} datasets"

    figure = panels(ranks, draw, by=("encoder", "fraction"), title=title, columns=2 if len(tests) > 1 else 1)
    return ranks, figure


def joined(ranks: np.ndarray, difference: float) -> list[tuple[float, float]]:
    """Return the ends of the longest runs of rising `ranks` that lie within `difference`; single ranks are no run."""
    last = np.searchsorted(ranks, ranks + difference, side="right") - 1
    return [
        (ranks[first], ranks[end])
        for first, end in enumerate(last)
        if end > first and (first == 0 or end > last[first - 1])
    ]


def _draw_ranks(axes: Axes, rows: pd.DataFrame, cliques: list[tuple[float, float]]) -> None:
    """Draw a method a line at its rank, the best on top, and the bars of `cliques` above the methods."""
    methods, length = rows[["methods", "critical_difference"]].iloc[0]
    for place, row in enumerate(each_row(rows)):
        colour = style(row.method).colour
        axes.plot([row.low, row.high], [place, place], color=colour, lw=1.2, zorder=0)
        axes.plot(row.mean_rank, place, ls="none", **line_look(row.method))
    for place, ends in enumerate(cliques):
        axes.plot(ends, 2 * [-1 - place], color="0.2", lw=2.5, solid_capstyle="round")
    top = len(rows)
    if not np.isnan(length):
        axes.errorbar(1 + length / 2, top, xerr=length / 2, color="0.2", lw=1, capsize=3)
        axes.annotate(
            f"critical difference {number(length, 2)}",
            (1 + length / 2, top),
            (0, -4),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
        )
        top += 1
    axes.set_xlim(0.8, methods + 0.2)
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.set_ylim(top, -len(cliques) - 0.8)
    labels = [f"{style(row.method).label} {number(row.mean_rank, 2)}" for row in each_row(rows)]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_xlabel("Mean rank (1 is best)")
