"""How far the predicted probabilities can be trusted, with all training images."""

import pandas as pd

from medpeft.artefacts.cells import failure_notes, score_cell
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
from medpeft.statistics.scoring.overall import CALIBRATION_BINS

CAPTION = "{metric}, calibration and discrimination."
TABLE = Table(CAPTION, "details", 1, ("runs", "scores", "floors", "primary"), requires=("classification",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """How far the predicted probabilities can be trusted, with all training images."""
    cells = full_data(experiment(sources, *sources.runs["experiment"].unique()))
    metrics = [sources.primary, *_measures(sources.primary)]
    wanted = [*metrics, *(f"{metric}_std" for metric in metrics)]
    cells = cells.reindex(columns=[*CELL, "n_runs", "n_failed", *wanted])
    best = {name: METRICS[name].best for name in metrics}
    groups = {}
    for (dataset, backbone), rows in each_group(cells, ["dataset", "backbone"]):
        by_method, marked = rows.set_index("method"), rows.agg(best)
        groups[f"{plain(dataset)}, {backbone}"] = [
            [Cell(style(method).label)]
            + [score_cell(row, metric, bold=row[metric] == marked[metric]) for metric in metrics]
            for method, row in ((method, row_at(by_method, method)) for method in in_order(rows["method"]))
        ] + floor_rows(sources, [(dataset, metric) for metric in metrics])
    header = ["Method", *(METRICS[name].heading for name in metrics)]
    notes = [
        f"Mean ± standard deviation over seeds. {_less_is_better(metrics)}: lower is better. After scaling: logits are "
        "divided by a temperature that was fitted on validation.",
        *floor_notes(sources),
    ]
    return cells, Layout(header, groups, notes + failure_notes(cells))


def _less_is_better(metrics: list[str]) -> str:
    """Return those of the `metrics` of which less is better, in words, with what their numbers depend on."""
    remarks = {"ece": f" ({CALIBRATION_BINS} bins)", "brier": " (0 to 2)"}
    less = [name for name in metrics if not METRICS[name].higher_is_better]
    return ", ".join(METRICS[name].heading + remarks.get(name, "") for name in less)


def _measures(primary: str) -> list[str]:
    """Return the metrics beside the primary one: calibration, of which less is better, before discrimination."""
    others = [name for name in shown_in("calibration") if name != primary]
    return sorted(others, key=lambda name: METRICS[name].higher_is_better)
