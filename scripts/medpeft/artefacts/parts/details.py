"""What the tables and figures of scores by class share: which cells they show, and how classes look."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from medpeft.artefacts.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, WINE, style
from medpeft.artefacts.panels import panels
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import plain
from medpeft.base.frames import each_group, each_row
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.significance import BASELINE

CASE = ["dataset", "backbone"]
CLASS_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, WINE)
SHOWN = "Shown are full fine-tuning and the best other method of each dataset and backbone"


def shown_cells(sources: Sources) -> pd.DataFrame:
    """Return dataset, backbone and method of full fine-tuning and of the best other method of each case, in order."""
    wanted = (sources.per_class["class"] == "") & (sources.per_class["metric"] == sources.primary)
    rows = []
    for case, cells in each_group(sources.per_class[wanted], CASE):
        gains = cells.set_index("method")["mean"].astype(float) * METRICS[sources.primary].sign
        others = gains.drop(index=BASELINE, errors="ignore").dropna()
        rows += [(*case, BASELINE)] * (BASELINE in gains)
        rows += [(*case, others.idxmax())] if len(others) else []
    return pd.DataFrame(rows, columns=[*CASE, "method"])


def class_lines(sources: Sources, curve: str, labels: tuple[str, str]) -> tuple[pd.DataFrame, Drawing]:
    """Return the points of one kind of `curve` of all cells, and their drawing: a panel a case, a line a class.

    Args:
        sources: Of which `curves` and `per_class` are drawn.
        curve: `roc` or `precision_recall`.
        labels: Of the two axes.
    """
    points = sources.curves[sources.curves["curve"].isin([curve, f"{curve}_chance"])]
    shown = points.merge(shown_cells(sources), on=[*CASE, "method"])
    colours = class_looks(points)

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        for (method, label, kind), line in each_group(rows, ["method", "class", "curve"]):
            look = _line(method) if kind == curve else {"ls": ":", "lw": 0.6}
            axes.plot(line["x"], line["y"], color=colours[label], **look)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])

    return points, panels(shown, draw, title=_title(shown), handles=class_handles(colours))


def class_looks(points: pd.DataFrame) -> dict[str, str]:
    """Return the colour of each class."""
    classes = dict.fromkeys(points["class"])
    return {label: CLASS_COLOURS[place % len(CLASS_COLOURS)] for place, label in enumerate(classes)}


def class_handles(colours: dict[str, str]) -> list[Line2D]:
    """Return the entries of a legend: the classes, and how full fine-tuning and the other method are drawn."""
    handles = [Line2D([], [], color=colour, label=label) for label, colour in colours.items()]
    looks = (("Full fine-tuning", BASELINE), ("Best other method", ""))
    return handles + [Line2D([], [], color="0.3", label=label, **_line(method)) for label, method in looks]


def best_other(cells: pd.DataFrame, case: tuple[str, str]) -> str:
    """Return the name of the other method that is shown of a case; empty where there is none."""
    here = cells[(cells["dataset"] == case[0]) & (cells["backbone"] == case[1])]
    return next((style(row.method).label for row in each_row(here) if row.method != BASELINE), "")


def _line(method: str) -> dict[str, Any]:
    return {"ls": "-" if method == BASELINE else "--", "lw": 1.4 if method == BASELINE else 1.1}


def _title(shown: pd.DataFrame) -> Any:
    def title(key: tuple[str, str]) -> str:
        other = best_other(shown, key)
        return f"{plain(key[0])}, {key[1]}" + (f"\nfull and {other}" if other else "")

    return title
