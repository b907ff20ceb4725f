"""How often predictions of a confidence are right, before and after temperature scaling."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.panels import panels, point_look
from medpeft.artefacts.parts.details import CASE, shown_cells
from medpeft.artefacts.registry import Figure
from medpeft.artefacts.sources import Sources
from medpeft.base.frames import each_group

CAPTION = (
    "Reliability: accuracy against confidence of the predictions of all seeds, in 15 bins, of full fine-tuning and the "
    "best other method. Hollow and dashed: after temperature scaling. The larger a marker, the more predictions."
)
FIGURE = Figure(
    CAPTION, "details", 7, ("reliability", "per_class", "primary"), requires=("classification",), narrow=(1, 55)
)
SCALED: dict[str, Any] = {"ls": "--", "mfc": "none"}
MARKERS = (3, 7)  # points: the size of a marker without a prediction, and what the share of all adds


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """How often predictions of a confidence are right, before and after scaling; the numbers are of all methods."""
    shown = sources.reliability.merge(shown_cells(sources), on=[*CASE, "method"])

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        for (method, kind), line in each_group(rows, ["method", "probabilities"]):
            colour, scaled = style(method).colour, kind == "scaled"
            width, dashes = (0.9, "--") if scaled else (1.3, "-")
            axes.plot(line["confidence"], line["accuracy"], color=colour, lw=width, ls=dashes)
            sizes = (MARKERS[0] + MARKERS[1] * line["share"] ** 0.5) ** 2
            face = "none" if scaled else colour
            axes.scatter(line["confidence"], line["accuracy"], s=sizes, fc=face, ec=colour, lw=0.9, zorder=3)
        axes.plot([0, 1], [0, 1], color="0.6", lw=0.8, ls=":")
        axes.set_xlim(0, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("Confidence")
        axes.set_ylabel("Accuracy")

    handles = [
        Line2D([], [], color=style(method).colour, **point_look(method) | {"marker": "o"})
        for method in in_order(shown["method"])
    ]
    handles.append(Line2D([], [], color="0.4", marker="o", label="After scaling", **SCALED))
    return sources.reliability, panels(shown, draw, handles=handles)
