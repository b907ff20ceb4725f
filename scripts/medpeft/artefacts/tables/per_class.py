"""The scores of every class, with all training images."""

import pandas as pd

from medpeft.artefacts.markup import GAP, Cell, Layout, interval, number
from medpeft.artefacts.palette import style
from medpeft.artefacts.parts.details import CASE, SHOWN, shown_cells
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import plain
from medpeft.base.frames import each_group, each_row
from medpeft.base.runs import CELL
from medpeft.statistics.metrics import METRICS, by_each_class

CAPTION = "Scores of each class against all others, with {most_data}."
TABLE = Table(CAPTION, "details", 3, ("per_class", "primary"), requires=("classification",))
METRICS_SHOWN = ("sensitivity", "specificity", "ppv", "npv", "auroc", "average_precision")


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """The scores of every class, with all training images; the numbers are those of all methods and metrics."""
    table = sources.per_class[(sources.per_class["class"] != "") & sources.per_class["metric"].isin(by_each_class())]
    groups = {}
    for cell in each_row(shown_cells(sources)):
        rows = table[(table[[*CASE, "method"]] == [cell.dataset, cell.backbone, cell.method]).all(axis=1)]
        title = f"{plain(cell.dataset)}, {cell.backbone}: {style(cell.method).label}"
        groups[title] = [
            [Cell(label), *(_cell(of_class, name) for name in METRICS_SHOWN)]
            for label, of_class in each_group(rows, "class")
        ]
    note = (
        f"{SHOWN}. Means over seeds; in brackets, the 95 % interval over seeds and test images. Sensitivity, "
        "specificity, PPV and NPV at the threshold of each class with the highest Youden index on validation."
    )
    header = ["Class", *(METRICS[name].heading for name in METRICS_SHOWN)]
    return table[[*CELL, "class", "metric", "n_runs", "mean", "std", "low", "high"]], Layout(header, groups, [note])


def _cell(of_class: pd.DataFrame, metric: str) -> Cell:
    found = of_class[of_class["metric"] == metric]
    if found.empty:
        return Cell(GAP)
    row = found.iloc[0]
    return Cell(number(row["mean"]), interval(row["low"], row["high"]))
