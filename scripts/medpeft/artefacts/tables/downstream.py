"""How well a classifier of real test images does that was trained on real, generated, or both images."""

import numpy as np
import pandas as pd

from medpeft.artefacts.cells import FAILED, failure_notes, over_seeds
from medpeft.artefacts.markup import GAP, Cell, Layout, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import case_title
from medpeft.base.frames import each_group, row_at
from medpeft.base.runs import CELL
from medpeft.statistics.metrics import METRICS, shown_in

CAPTION = "Classifiers of real test images that learned from real, generated, or both images."
TABLE = Table(CAPTION, "generation", 5, ("downstreams", "primary"), requires=("generation", "downstream"))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """How well a classifier of real test images does that was trained on real, generated, or both images."""
    runs = pd.concat([scores.assign(**run.cell) for run, scores in sources.downstreams.items()])
    metric, *others = metrics = _metrics(sources, runs)
    table = over_seeds(runs, [*CELL, "trained_on"], [*metrics, "n_train"], metric)
    header = {"real": "Real", "generated": "Generated", "both": "Both"}
    groups = {}
    for case, rows in each_group(table, ["dataset", "backbone", "fraction"]):
        sizes = rows.groupby("trained_on")["n_train"].max()
        best = rows.groupby("trained_on")[metric].agg(METRICS[metric].best)
        cells = rows.set_index(["method", "trained_on"])
        title = f"{case_title(*case)}; images: {sizes['real']:,.0f} real, {sizes['generated']:,.0f} generated"
        groups[title] = [
            [Cell(style(method).label)]
            + [
                _downstream_cell(row, metrics, name != "real" and row[metric] == best[name])
                for name, row in ((name, row_at(cells, (method, name))) for name in header)
            ]
            for method in in_order(rows["method"])
        ]
    note = (
        f"{METRICS[metric].heading} on the real test images, mean ± standard deviation over seeds, below it "
        f"{' and '.join(METRICS[name].label for name in others)}, of a logistic regression on frozen features, trained "
        "on the real images that the pipeline was tuned on, on images that it then generated for their captions, or "
        "on both."
    )
    failed = table[table["trained_on"] == "generated"]
    return table, Layout(["Method", *header.values()], groups, [note, *failure_notes(failed)])


def _metrics(sources: Sources, runs: pd.DataFrame) -> list[str]:
    """Return what is shown: the primary metric first where the classifier has it."""
    primary = [sources.primary] if sources.primary in runs else []
    return list(dict.fromkeys([*primary, *shown_in("downstream")]))


def _downstream_cell(row: pd.Series, metrics: list[str], bold: bool) -> Cell:
    metric, *others = metrics
    if np.isnan(row[metric]):
        return Cell(GAP)
    spread = "" if np.isnan(row[f"{metric}_std"]) else f" ± {number(row[f'{metric}_std'])}"
    below = "; ".join(number(row[name]) for name in others)
    return Cell(number(row[metric]) + spread + (FAILED if row["n_failed"] else ""), below, bold)
