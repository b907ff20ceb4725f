"""The cheapest method that is shown not to be worse than full fine-tuning by the margin, if there is one."""

from typing import Any

import pandas as pd

from medpeft.artefacts.markup import GAP, Cell, Layout, interval, mebibytes, number, p_value
from medpeft.artefacts.palette import style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import ENCODERS, percent
from medpeft.base.frames import each_row

CAPTION = "The cheapest method that is shown not to be worse than full fine-tuning by the margin."
TABLE = Table(CAPTION, "choice", 1, ("recommendations",), requires=("classification",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """The cheapest method that is shown not to be worse than full fine-tuning by the margin, if there is one."""
    table = sources.recommendations
    groups = {"": [_line(row) for row in each_row(table)]} if len(table) else {}
    header = ["Networks", "Method", "Shown", "Difference", "Adjusted p", "Trainable", "Memory (MiB)", "Time (s)"]
    note = (
        "Shown: how many of the methods that train fewer parameters than full fine-tuning are shown not to be worse by "
        "the margin; of these the one with the fewest trainable parameters is named, and none where none is shown. "
        "Difference from full fine-tuning with its 95 % interval; p of a loss of the margin or more, adjusted by "
        "Holm's procedure. Several datasets are the units of the test; of one, its seeds and test images. Costs: "
        "medians over runs."
    )
    return table, Layout(header, groups, [note])


def _line(row: Any) -> list[Cell]:
    chosen = isinstance(row.method, str) and row.method != ""
    datasets = f"{row.datasets:.0f} dataset{'' if row.datasets == 1 else 's'}"
    return [
        Cell(f"{ENCODERS[row.encoder]}, {percent(row.fraction)}", datasets),
        Cell(style(row.method).label if chosen else "none", row.outcome if chosen else "", chosen),
        Cell(f"{row.shown:.0f} of {row.candidates:.0f}"),
        Cell(number(row.difference, sign=True), interval(row.low, row.high, sign=True)),
        Cell(p_value(row.p_not_inferior_adjusted)),
        Cell(number(row.trainable_parameters, 0, group=True)),
        Cell(mebibytes(row.peak_memory_bytes, 0) if chosen else GAP),
        Cell(number(row.train_seconds, 1)),
    ]
