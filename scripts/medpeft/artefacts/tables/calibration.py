"""How far the predicted probabilities can be trusted, with all training images."""

import pandas as pd

from medpeft.artefacts.cells import failure_notes, score_cell
from medpeft.artefacts.markup import Cell, Layout
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.selection import experiment, full_data
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import plain
from medpeft.base.runs import CELL

TABLE = Table(
    caption="Accuracy, calibration and discrimination.",
    section="calibration",
    place=1,
    sources=("runs", "scores"),
    requires=("classification",),
)


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """How far the predicted probabilities can be trusted, with all training images."""
    cells = full_data(experiment(sources, *sources.runs["experiment"].unique()))
    columns = {"f1_micro": "accuracy", "ece": "ece", "brier": "brier", "auroc": "auroc"}
    wanted = [*columns, *(f"{metric}_std" for metric in columns)]
    cells = cells.reindex(columns=[*CELL, "n_runs", "n_failed", *wanted])
    best = {"f1_micro": "max", "ece": "min", "brier": "min", "auroc": "max"}
    groups = {}
    for (dataset, backbone), rows in cells.groupby(["dataset", "backbone"], sort=False):
        by_method, marked = rows.set_index("method"), rows.agg(best)
        groups[f"{plain(dataset)}, {backbone}"] = [
            [Cell(style(method).label)]
            + [score_cell(row, metric, bold=row[metric] == marked[metric]) for metric in columns]
            for method, row in ((method, by_method.loc[method]) for method in in_order(rows["method"]))
        ]
    table = cells.rename(columns=columns | {f"{metric}_std": f"{name}_std" for metric, name in columns.items()})
    header = ["Method", "Accuracy", "ECE", "Brier score", "AUROC"]
    notes = ["Mean ± standard deviation over seeds. ECE (15 bins) and Brier score (0 to 2): lower is better."]
    return table, Layout(header, groups, notes + failure_notes(cells))
