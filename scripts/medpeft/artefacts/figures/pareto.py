"""The score against what it costs, with all training images: one row of panels a backbone, means over its datasets."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from medpeft.artefacts.panels import by_method, line_look, panels
from medpeft.artefacts.parts.majority import draw_floor, with_floor
from medpeft.artefacts.registry import Figure
from medpeft.artefacts.selection import experiment, full_data
from medpeft.artefacts.sources import Sources
from medpeft.base.frames import each_group
from medpeft.statistics.collect import distinct
from medpeft.statistics.metrics import METRICS

CAPTION = (
    "{metric}, averaged over datasets, against three costs, with {most_data}. Rings and stairs: no other method is "
    "better and cheaper. Dashed: always predicting the majority class of the training images."
)
FIGURE = Figure(CAPTION, "choice", 2, ("runs", "scores", "floors", "primary"), requires=("classification",))
COSTS = {
    "trainable_parameters": ("Trainable parameters, head included", 1),
    "peak_memory_bytes": ("Peak memory of training (MiB)", 2**20),
    "train_seconds": ("Training time (s)", 1),
}


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """The score against what it costs, with all training images: one row of panels a backbone, means over its datasets.

    The stairs join the methods that no other beats in both score and cost. Costs are medians over runs.
    """
    metric = sources.primary
    keys = ["dataset", "backbone", "method"]
    runs = full_data(distinct(sources.runs))
    cells = full_data(experiment(sources, *sources.runs["experiment"].unique()))[[*keys, metric]]
    cells = with_floor(cells, sources, metric)
    cells = cells.merge(runs.groupby(keys)[list(COSTS)].median().reset_index(), on=keys)
    means = cells.groupby(["backbone", "method"], sort=False).agg(
        datasets=("dataset", "nunique"),
        floor=("floor", "mean"),
        **{metric: (metric, lambda scores: scores.mean(skipna=False))},
        **{cost: (cost, "mean") for cost in COSTS},
    )
    points = pd.concat(
        [
            rows.melt(["backbone", "method", "datasets", metric, "floor"], list(COSTS), "cost", "value")
            for _, rows in each_group(means.reset_index(), "backbone")
        ],
        ignore_index=True,
    )
    points["best"] = points.groupby(["backbone", "cost"], group_keys=False)[[metric, "value"]].apply(
        lambda rows: not_dominated(METRICS[metric].sign * rows[metric], rows["value"])
    )

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        title, unit = COSTS[key[1]]
        front = rows[rows["best"]].sort_values("value")
        axes.step(front["value"] / unit, front[metric], where="post", color="0.6", lw=1.2, zorder=0)
        for method, point in by_method(rows):
            axes.plot(point["value"] / unit, point[metric], ls="none", **line_look(method))
        axes.plot(front["value"] / unit, front[metric], "o", ms=12, mfc="none", mec="0.35", mew=1)
        draw_floor(axes, rows["floor"].iloc[0])
        if key[1] == "trainable_parameters":
            axes.set_xscale("log")
        axes.margins(x=0.15, y=0.15)
        axes.set_xlabel(title)
        axes.set_ylabel(METRICS[metric].heading)

    return points, panels(points, draw, by=("backbone", "cost"), title=lambda key: key[0], columns=len(COSTS))


def not_dominated(score: pd.Series, cost: pd.Series) -> pd.Series:
    """Return which rows no other row beats: none is at least as good and cheap, and better or cheaper; nan never is."""
    known = score.notna() & cost.notna()
    beaten = [
        any((score >= score[row]) & (cost <= cost[row]) & ((score > score[row]) | (cost < cost[row])))
        for row in score.index
    ]
    return known & ~np.array(beaten, bool)
