"""The score against trainable parameters with all training images; bars are 95 % intervals."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from medpeft.artefacts.palette import style
from medpeft.artefacts.panels import PUBLISHED, by_method, panels, point_look
from medpeft.artefacts.parts.majority import draw_floor, with_floor
from medpeft.artefacts.parts.published import published_f1
from medpeft.artefacts.registry import Figure
from medpeft.artefacts.selection import experiment, full_data
from medpeft.artefacts.sources import Sources
from medpeft.statistics.metrics import METRICS

CAPTION = (
    "{metric} against the number of trainable parameters, with {most_data}. Bars: 95 % intervals; the larger a marker, "
    "the more parameters. Dashed: always predicting the majority class of the training images."
)
FIGURE = Figure(
    CAPTION,
    "answers",
    6,
    ("runs", "scores", "floors", "primary"),
    published=("table2", "table3"),
    experiments=("table2", "table3"),
    narrow=(1, 55),
)
MARKERS = (6.5, 15)  # smallest and largest in points, where their size says something


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """The score against trainable parameters with all training images; bars are 95 % intervals.

    The larger a marker, the more parameters are trained. Published scores, where there are any, are hollow.
    """
    metric = sources.primary
    parameters = sources.runs.groupby(["dataset", "backbone", "method"])["trainable_parameters"].first().reset_index()
    cells = full_data(experiment(sources, "table2", "table3")).merge(parameters, on=["dataset", "backbone", "method"])
    columns = ["dataset", "backbone", "method", "trainable_parameters", metric, f"{metric}_low", f"{metric}_high"]
    published = published_f1(sources, "table2", "table3")[[*columns[:3], "published_f1"]]
    cells = cells.reindex(columns=columns).merge(published, on=columns[:3], how="left")
    cells = with_floor(cells, sources, metric)
    sizes = np.log(cells["trainable_parameters"])
    cells["marker"] = np.interp(sizes, [sizes.min(), sizes.max() + 1e-9], MARKERS)

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        for method, point in by_method(rows):
            look, score = style(method), point[metric]
            bars = [score - point[f"{metric}_low"], point[f"{metric}_high"] - score]
            axes.errorbar(
                point["trainable_parameters"],
                score,
                yerr=bars,
                color=look.colour,
                elinewidth=1,
                capsize=2,
                **point_look(method) | {"ms": point["marker"].iloc[0]},
            )
            if point["published_f1"].notna().any():
                hollow = {"color": look.colour, "mec": look.colour, "ms": point["marker"].iloc[0]}
                axes.plot(
                    point["trainable_parameters"], point["published_f1"], **point_look(method) | PUBLISHED | hollow
                )
        draw_floor(axes, rows["floor"].iloc[0])
        axes.set_xscale("log")
        axes.margins(x=0.12)
        axes.set_xlabel("Trainable parameters, head included")
        axes.set_ylabel(f"{METRICS[metric].heading} on the test images")

    return cells, panels(cells, draw)
