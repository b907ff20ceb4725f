"""Mean ranks over datasets and backbones; bars join methods whose ranks do not differ (Nemenyi, .05)."""

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
    "Mean ranks over datasets and backbones. Bars join methods whose mean ranks differ by less than Nemenyi's "
    "critical difference."
)
FIGURE = Figure(CAPTION, "choice", 4, ("ranks", "friedman"), requires=("ranks",), narrow=(2, 60))


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """Mean ranks over datasets and backbones; bars join methods whose ranks do not differ (Nemenyi, .05).

    The diagram of Demsar (2006): one panel a kind of encoder and data size that has a test.
    """
    tests = sources.friedman[sources.friedman["status"] == "ok"]
    ranks = sources.ranks.merge(tests[["encoder", "fraction", "methods", "critical_difference"]])

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        rows = rows.sort_values(["mean_rank", "method"])
        cliques = joined(rows["mean_rank"].to_numpy(), rows["critical_difference"].iloc[0])
        _draw_ranks(axes, rows, cliques)

    def title(key: Any) -> str:
        rows = ranks[(ranks["encoder"] == key[0]) & (ranks["fraction"] == key[1])]
        return f"{ENCODERS[key[0]]}, {percent(key[1])}, {rows['blocks'].iloc[0]} blocks"

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
    middle, end = (1 + methods) / 2, max(methods, 1 + length)
    for place, row in enumerate(each_row(rows)):
        left = row.mean_rank > middle
        axes.plot([row.mean_rank, row.mean_rank], [place, -len(cliques) - 0.6], color="0.85", lw=0.8, zorder=0)
        axes.plot(row.mean_rank, place, ls="none", **line_look(row.method))
        axes.annotate(
            f"{style(row.method).label} {number(row.mean_rank, 2)}",
            (row.mean_rank, place),
            (-7 if left else 7, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=8,
        )
    for place, ends in enumerate(cliques):
        axes.plot(ends, 2 * [-1 - place], color="0.2", lw=2.5, solid_capstyle="round")
    axes.errorbar(1 + length / 2, len(rows), xerr=length / 2, color="0.2", lw=1, capsize=3)
    axes.annotate(
        f"critical difference {number(length, 2)}",
        (1 + length / 2, len(rows)),
        (0, -4),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=8,
    )
    axes.set_xlim(0.8, end + 0.2)
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.set_ylim(len(rows) + 1, -len(cliques) - 0.8)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Mean rank (1 is best)")
