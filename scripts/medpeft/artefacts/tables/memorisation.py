"""How many generated images of every method are copies of training images, beside what chance makes of real ones."""

import numpy as np
import pandas as pd

from medpeft.artefacts.cells import failure_notes, over_seeds, rows_in_order
from medpeft.artefacts.markup import GAP, Cell, Layout, number
from medpeft.artefacts.palette import style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import case_title, share
from medpeft.base.frames import each_group, each_row
from medpeft.base.runs import CELL

CAPTION = "Generated images that may be copies of training images."
TABLE = Table(CAPTION, "generation", 4, ("memorisations",), requires=("generation",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """How many generated images of every method are copies of training images, beside what chance makes of real ones.

    `memorised` is the mean over the seeds that did not fail; `generated` how many images of each were looked at.
    """
    runs = pd.DataFrame([run.cell | facts for run, facts in sources.memorisations.items()])
    numbers = ["memorised", "by_chance", "generated", "training"]
    table = over_seeds(runs.astype(dict.fromkeys(numbers, float)), CELL, numbers, "memorised")
    groups = {
        f"{case_title(*case)}; training images: {number(rows['training'].max(), 0, group=True)}": [
            [
                Cell(style(row.method).label),
                _share_cell(row.memorised, row.memorised_std, row.n_failed),
                Cell(share(row.by_chance)),
                Cell(number(row.generated, 0, group=True)),
            ]
            for row in each_row(rows_in_order(rows))
        ]
        for case, rows in each_group(table, ["dataset", "backbone", "fraction"])
    }
    note = (
        "Flagged: generated images that are nearer to a training image, in a comparison made for copies, than all but "
        "the nearest real test images are, which are no copies; mean ± standard deviation over seeds. By chance: the "
        "share of images that are no copies which this flags. Flagged images are to be looked at: memorisation.png of "
        "each run shows the nearest pairs."
    )
    return table, Layout(["Method", "Flagged", "By chance", "Images a run"], groups, [note, *failure_notes(table)])


def _share_cell(mean: float, spread: float, failed: int) -> Cell:
    if np.isnan(mean):
        return Cell(GAP)
    text = number(100 * mean, 1) + ("" if np.isnan(spread) else f" ± {number(100 * spread, 1)}")
    return Cell(f"{text} %" + ("†" if failed else ""))
