"""How well a classifier of real test images does that was trained on real, generated, or both images."""

import numpy as np
import pandas as pd

from medpeft.artefacts.cells import failure_notes, over_seeds
from medpeft.artefacts.markup import GAP, Cell, Layout, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import case_title
from medpeft.base.frames import each_group, row_at
from medpeft.base.runs import CELL
from medpeft.statistics.metrics import PRIMARY, shown_in

CAPTION = "Classifiers of real test images that learned from real, generated, or both images."
TABLE = Table(CAPTION, "generation", 5, ("downstreams",), requires=("generation", "downstream"))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """How well a classifier of real test images does that was trained on real, generated, or both images."""
    runs = pd.concat([scores.assign(**run.cell) for run, scores in sources.downstreams.items()])
    table = over_seeds(runs, [*CELL, "trained_on"], [*shown_in("downstream"), "n_train"], PRIMARY)
    header = {"real": "Real", "generated": "Generated", "both": "Both"}
    groups = {}
    for case, rows in each_group(table, ["dataset", "backbone", "fraction"]):
        sizes = rows.groupby("trained_on")["n_train"].max()
        best = rows.groupby("trained_on")["f1_micro"].max()
        cells = rows.set_index(["method", "trained_on"])
        title = f"{case_title(*case)}; images: {sizes['real']:,.0f} real, {sizes['generated']:,.0f} generated"
        groups[title] = [
            [Cell(style(method).label)]
            + [
                _downstream_cell(row, name != "real" and row["f1_micro"] == best[name])
                for name, row in ((name, row_at(cells, (method, name))) for name in header)
            ]
            for method in in_order(rows["method"])
        ]
    note = (
        "Micro-F1 on the real test images, mean ± standard deviation over seeds, below it macro-F1 and area under the "
        "curve, of a logistic regression on frozen features, trained on the real images that the pipeline was tuned "
        "on, on images that it then generated for their captions, or on both."
    )
    failed = table[table["trained_on"] == "generated"]
    return table, Layout(["Method", *header.values()], groups, [note, *failure_notes(failed)])


def _downstream_cell(row: pd.Series, bold: bool) -> Cell:
    if np.isnan(row["f1_micro"]):
        return Cell(GAP)
    spread = "" if np.isnan(row["f1_micro_std"]) else f" ± {number(row['f1_micro_std'])}"
    below = f"{number(row['f1_macro'])}; {number(row['auroc'])}"
    return Cell(number(row["f1_micro"]) + spread + ("†" if row["n_failed"] else ""), below, bold)
