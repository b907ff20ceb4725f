"""Micro-F1 against trainable parameters with all training images; bars are 95 % intervals."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from medpeft.artefacts.floor import draw_floor, with_floor
from medpeft.artefacts.palette import style
from medpeft.artefacts.panels import PUBLISHED, by_method, panels, point_look, with_published_f1
from medpeft.artefacts.registry import Figure
from medpeft.artefacts.selection import experiment, full_data
from medpeft.artefacts.sources import Sources

CAPTION = (
    "Micro-F1 against the number of trainable parameters, with {most_data}. Bars: 95 % intervals; the larger a marker, "
    "the more parameters. Dashed: always predicting the majority class of the training images."
)
FIGURE = Figure(
    CAPTION,
    "answers",
    6,
    ("runs", "scores", "floors"),
    published=("table2", "table3"),
    experiments=("table2", "table3"),
    narrow=(1, 55),
)
MARKERS = (6.5, 15)  # smallest and largest in points, where their size says something


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """Micro-F1 against trainable parameters with all training images; bars are 95 % intervals.

    The larger a marker, the more parameters are trained. Published scores, where there are any, are hollow.
    """
    parameters = sources.runs.groupby(["dataset", "backbone", "method"])["trainable_parameters"].first().reset_index()
    cells = full_data(experiment(sources, "table2", "table3")).merge(parameters, on=["dataset", "backbone", "method"])
    columns = ["dataset", "backbone", "method", "trainable_parameters", "f1_micro", "f1_micro_low", "f1_micro_high"]
    published = pd.concat([sources.published["table2"], sources.published["table3"]])
    cells = with_published_f1(cells.reindex(columns=columns), published, columns[:3])
    cells = with_floor(cells, sources, "f1_micro")
    sizes = np.log(cells["trainable_parameters"])
    cells["marker"] = np.interp(sizes, [sizes.min(), sizes.max() + 1e-9], MARKERS)

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        for method, point in by_method(rows):
            look, f1 = style(method), point["f1_micro"]
            bars = [f1 - point["f1_micro_low"], point["f1_micro_high"] - f1]
            axes.errorbar(
                point["trainable_parameters"],
                f1,
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
        axes.set_ylabel("Micro-F1 on the test images")

    return cells, panels(cells, draw)
