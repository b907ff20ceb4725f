"""Scores on another dataset than the one that was trained on, and how much less they are."""

from typing import Any

import pandas as pd

from medpeft.artefacts.cells import rows_in_order
from medpeft.artefacts.markup import Cell, Layout, interval, number, p_value
from medpeft.artefacts.palette import style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import case_title, plain
from medpeft.base.frames import each_group, each_row
from medpeft.base.runs import CELL
from medpeft.statistics.metrics import METRICS

CAPTION = "External validation: scores on another dataset than the one that was trained on."
TABLE = Table(CAPTION, "populations", 2, ("external", "external_differences"), requires=("classification", "test_on"))
CASE = ["dataset", "backbone", "fraction", "other", "metric"]


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """Scores on another dataset than the one that was trained on, and how much less they are."""
    renamed = {name: f"gain_{name}" for name in ("low", "high", "p_value", "p_adjusted")} | {"difference": "gain"}
    gains = sources.external_differences.rename(columns=renamed)
    table = sources.external.merge(gains, on=[*CELL, "other", "metric"], how="left")
    groups = {}
    for (dataset, backbone, fraction, other, metric), rows in each_group(table, CASE):
        title = f"{case_title(dataset, backbone, fraction)}, tested on {plain(other)}: {METRICS[metric].label}"
        groups[title] = [_line(row) for row in each_row(rows_in_order(rows))]
    header = ["Method", "Own test set", "Other dataset", "Drop", "Adjusted p", "Gain over full there", "Adjusted p"]
    note = (
        "Means over seeds with 95 % intervals over test images and seeds (over test images where there is one seed). "
        "Drop: by how much the score is worse on the other dataset, from two independent samples of test images. Gain: "
        "on the same images of the other dataset. p: adjusted over methods by Holm's procedure."
    )
    return table, Layout(header, groups, [note, *_sizes(table)])


def _line(row: Any) -> list[Cell]:
    scores = [
        Cell(number(value), interval(low, high))
        for value, low, high in (
            (row.internal, row.internal_low, row.internal_high),
            (row.external, row.external_low, row.external_high),
        )
    ]
    drop = Cell(number(row.drop, sign=True), interval(row.drop_low, row.drop_high, sign=True))
    gain = Cell(number(row.gain, sign=True), interval(row.gain_low, row.gain_high, sign=True))
    p_values = Cell(p_value(row.p_adjusted)), Cell(p_value(row.gain_p_adjusted))
    return [Cell(style(row.method).label), *scores, drop, p_values[0], gain, p_values[1]]


def _sizes(table: pd.DataFrame) -> list[str]:
    """Return a note for each other dataset: how many images it has, and how many are left out."""
    sizes = table.drop_duplicates(["dataset", "other"])
    return [
        f"{plain(row.other)}: {row.n_images:,} images of {row.n_clusters:,} clusters. Left out as they are, or look "
        f"like, images of {plain(row.dataset)} that were trained or validated on: {row.n_left_out:,}."
        for row in each_row(sizes)
    ]
