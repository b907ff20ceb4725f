"""The score of every method against the share of the training images, beside published F1 if there is any."""

import pandas as pd

from medpeft.artefacts.cells import SEEDS_NOTE, failure_notes
from medpeft.artefacts.markup import Cell, Layout
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.parts.majority import floor_notes, floor_rows, with_floor
from medpeft.artefacts.parts.published import published_cell, published_f1
from medpeft.artefacts.registry import Table
from medpeft.artefacts.selection import experiment
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import percent, plain
from medpeft.base.frames import each_group
from medpeft.base.runs import CELL
from medpeft.statistics.metrics import METRICS

CAPTION = "{metric} of each method by share of training images."
TABLE = Table(
    CAPTION, "low_data", 2, ("runs", "scores", "floors", "primary"), published=("figure1",), experiments=("figure1",)
)


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """The score of every method against the share of the training images, beside published F1 if there is any."""
    metric = sources.primary
    cells = experiment(sources, "figure1").merge(published_f1(sources, "figure1"), on=CELL, how="left")
    cells = cells.assign(difference=cells[metric] - cells["published_f1"])
    fractions = sorted(cells["fraction"].unique())
    groups = {}
    for (dataset, backbone), rows in each_group(cells, ["dataset", "backbone"]):
        sizes = rows.groupby("fraction")["n_train"].max()
        title = (
            f"{plain(dataset)}, {backbone}; training images: {', '.join(f'{sizes.get(f, 0):.0f}' for f in fractions)}"
        )
        best = rows.groupby("fraction")[metric].agg(METRICS[metric].best).reindex(fractions)
        by_cell = rows.set_index(["method", "fraction"])
        groups[title] = [
            [Cell(style(method).label)]
            + [published_cell(by_cell, (method, fraction), metric, best[fraction]) for fraction in fractions]
            for method in in_order(rows["method"])
        ]
        groups[title] += floor_rows(sources, [(dataset, metric)] * len(fractions))
    cells = with_floor(cells, sources, metric)
    header = ["Method", *(percent(fraction) for fraction in fractions)]
    notes = [SEEDS_NOTE, *floor_notes(sources)]
    if cells["published_f1"].notna().any():
        notes.append(
            "Third in a cell: the published F1, read off figure 1 of Dutt et al. 2024, and the difference of ours."
        )
    return cells, Layout(header, groups, [*notes, *failure_notes(cells)])
