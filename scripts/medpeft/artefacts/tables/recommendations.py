"""The best method for each kind of encoder and data size, and the cheapest that is not significantly worse."""

from typing import Any

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import Cell, Layout, interval, number
from medpeft.artefacts.palette import style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import group_title
from medpeft.base.frames import each_group, each_row

CAPTION = "The best method, and the cheapest that is not significantly worse."
TABLE = Table(CAPTION, "choice", 1, ("recommendations",), requires=("classification",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """The best method for each kind of encoder and data size, and the cheapest that is not significantly worse."""
    table = sources.recommendations
    groups = {}
    for (encoder, fraction), rows in each_group(table, ["encoder", "fraction"]):
        count = f"{rows['not_worse'].iloc[0]:.0f} of {rows['candidates'].iloc[0]:.0f}"
        groups[f"{group_title(encoder, fraction, rows)}; not significantly worse than the best: {count} others"] = [
            _choice_line(row) for row in each_row(rows)
        ]
    header = ["Method", "Mean rank", "Micro-F1", "Adjusted p", "Trainable", "Memory (MiB)", "Time (s)", "File (MiB)"]
    note = (
        "Best: lowest mean rank over blocks (a dataset with a backbone). Cheapest: fewest trainable parameters among "
        "the best and those that are not significantly worse. Below micro-F1 (mean over blocks): the difference "
        "from the best with its 95 % interval, a paired bootstrap over test images and seeds, p adjusted by Holm's "
        "procedure; a small study has little power to find a method worse. Costs: medians over runs."
    )
    return table, Layout(header, groups, [note])


def _choice_line(row: Any) -> list[Cell]:
    gain = "" if np.isnan(row.difference) else f"{number(row.difference, sign=True)} "
    return [
        Cell(style(row.method).label, row.role),
        Cell(number(row.mean_rank, 2)),
        Cell(number(row.f1_micro), gain + interval(row.low, row.high, sign=True)),
        Cell(number(row.p_adjusted)),
        Cell(number(row.trainable_parameters, 0, group=True)),
        Cell(number(row.peak_memory_bytes / 2**20, 0)),
        Cell(number(row.train_seconds, 1)),
        Cell(number(row.adapter_bytes / 2**20, 2)),
    ]
