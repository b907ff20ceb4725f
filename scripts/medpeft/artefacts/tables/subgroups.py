"""The test images by subgroups: the worst and the best subgroup of each method, and the gap between them."""

from typing import Any

import pandas as pd

from medpeft.artefacts.cells import rows_in_order
from medpeft.artefacts.markup import Cell, Layout, interval, number, p_value
from medpeft.artefacts.palette import style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import case_title, plain
from medpeft.base.frames import each_group, each_row
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.populations.compare_subgroups import LEAST_IMAGES, LEAST_OF_CLASS

CAPTION = "The test images by subgroups: the worst and the best subgroup of each method, and the gap between them."
TABLE = Table(CAPTION, "populations", 1, ("subgroups", "gaps"), requires=("classification", "subgroups"))
CASE = ["dataset", "backbone", "fraction", "attribute", "metric"]


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """The test images by subgroups: the worst and the best subgroup of each method, and the gap between them.

    The numbers have a row for each subgroup, the layout one for each method.
    """
    table = sources.subgroups
    score = {
        (*(getattr(row, name) for name in CASE), row.method, row.subgroup): Cell(row.subgroup, _score(row))
        for row in each_row(table)
    }
    groups = {}
    for case, rows in each_group(sources.gaps, CASE):
        lines = []
        for row in each_row(rows_in_order(rows)):
            ends = (score[*case, row.method, name] for name in (row.worst, row.best))
            gap = Cell(number(row.gap), interval(row.low, row.high))
            judged = [Cell(number(row.chance_gap)), Cell(p_value(row.p_adjusted))]
            lines.append([Cell(style(row.method).label), *ends, gap, *judged])
        dataset, backbone, fraction, attribute, metric = case
        groups[f"{case_title(dataset, backbone, fraction)}: {METRICS[metric].label} by {plain(attribute)}"] = lines
    header = ["Method", "Worst subgroup", "Best subgroup", "Gap", "By chance", "Adjusted p"]
    return table, Layout(header, groups, [NOTE, *_sizes(table)])


NOTE = (
    "Means over seeds with 95 % intervals over test images and seeds (over test images where there is one seed). The "
    "interval of a gap holds for all pairs of subgroups at once. By chance: the mean gap if all subgroups were alike. "
    "p: of no gap, adjusted for the pairs of subgroups, and for all methods and attributes. Images whose value is "
    f"unknown, or outside the bands, are no subgroup. Subgroups of fewer than {LEAST_IMAGES} images have no score, nor "
    f"have those of fewer than {LEAST_OF_CLASS} images of a class where a metric is a mean over classes."
)


def _score(row: Any) -> str:
    return f"{number(row.score)} {interval(row.low, row.high)}"


def _sizes(table: pd.DataFrame) -> list[str]:
    """Return a note for each attribute of a dataset: what subgroups there are, and why some have no score."""
    notes = []
    for (dataset, attribute), rows in each_group(table, ["dataset", "attribute"]):
        names = dict.fromkeys(rows["subgroup"])
        each = [_size(rows[rows["subgroup"] == name]) for name in names]
        notes.append(f"Test images of {plain(dataset)} by {plain(attribute)}: {'; '.join(each)}.")
    return notes


def _size(rows: pd.DataFrame) -> str:
    """Return the name and size of the subgroup that `rows` are of, and which metrics it has no score of."""
    first = rows.iloc[0]
    without = {f"no {METRICS[row.metric].label}: {row.status}" for row in each_row(rows) if row.status != "ok"}
    reasons = "".join(f", {reason}" for reason in sorted(without))
    return f"{first['subgroup']} {first['n_images']:,} (of {first['n_clusters']:,} clusters{reasons})"
