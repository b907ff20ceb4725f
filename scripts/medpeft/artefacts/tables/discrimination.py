"""How well the methods tell classes apart, by metrics that look at all classes alike, with all training images."""

import pandas as pd

from medpeft.artefacts.cells import SEEDS_NOTE, failure_notes, score_cell
from medpeft.artefacts.markup import Cell, Layout
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.parts.majority import floor_notes, floor_rows
from medpeft.artefacts.registry import Table
from medpeft.artefacts.selection import experiment, full_data
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import plain
from medpeft.base.frames import each_group, row_at
from medpeft.base.runs import CELL
from medpeft.statistics.metrics import METRICS, shown_in

CAPTION = "Discrimination between classes, rare ones as much as frequent ones, with {most_data}."
TABLE = Table(CAPTION, "details", 2, ("runs", "scores", "per_class", "floors", "primary"), requires=("classification",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """How well the methods tell classes apart, by metrics that look at all classes alike, with all training images."""
    cells = full_data(experiment(sources, *sources.runs["experiment"].unique()))
    metrics = [name for name in shown_in("discrimination") if name in cells]
    spread = [f"{name}_{value}" for value in ("std", "low", "high") for name in metrics]
    cells = cells.reindex(columns=[*CELL, "n_runs", "n_failed", *metrics, *spread])
    groups = {}
    for (dataset, backbone), rows in each_group(cells, ["dataset", "backbone"]):
        by_method = rows.set_index("method")
        best = rows.agg({name: METRICS[name].best for name in metrics})
        groups[f"{plain(dataset)}, {backbone}"] = [
            [Cell(style(method).label)] + [score_cell(row, name, bold=row[name] == best[name]) for name in metrics]
            for method, row in ((method, row_at(by_method, method)) for method in in_order(rows["method"]))
        ] + floor_rows(sources, [(dataset, name) for name in metrics])
    header = ["Method", *(METRICS[name].heading for name in metrics)]
    return cells, Layout(header, groups, [SEEDS_NOTE, *floor_notes(sources), *failure_notes(cells)])
