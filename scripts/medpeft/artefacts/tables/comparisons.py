"""Whether a method differs from full fine-tuning, on each dataset and backbone and with each fraction of the images."""

from typing import Any

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import Cell, Layout, interval, number, p_value
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import case_title, points
from medpeft.base.frames import each_group, row_at
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.significance import SIGNIFICANT

CAPTION = "Each method against full fine-tuning, and what the data show of the difference."
TABLE = Table(CAPTION, "answers", 5, ("comparisons",), requires=("full",))
HEADER = ["Method", "Difference", "Adjusted p", "Outcome", "Could be seen", "Would settle it"]


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """Whether a method differs from full fine-tuning, on each dataset and backbone and with each fraction."""
    table = sources.comparisons[sources.comparisons["primary"].astype(bool)]
    groups = {}
    for (dataset, backbone), of_network in each_group(table, ["dataset", "backbone"]):
        for fraction, rows in each_group(of_network.sort_values("fraction", ascending=False), "fraction"):
            by_method = rows.set_index("method")
            seeds = int(rows["seeds_compared"].max())
            groups[f"{case_title(dataset, backbone, fraction)}, {seeds} seed{'' if seeds == 1 else 's'}"] = [
                comparison_line(method, row_at(by_method, method), "seed") for method in in_order(rows["method"])
            ]
    return table, Layout(HEADER, groups, _notes(table))


def comparison_line(method: str, row: Any, unit: str) -> list[Cell]:
    """Return the cells of one comparison, whose `unit` is a seed or a dataset, below `HEADER`."""
    return [
        Cell(style(method).label),
        Cell(number(row["difference"], sign=True), interval(row["low"], row["high"], sign=True)),
        Cell(p_value(row["p_adjusted"])),
        Cell(row["outcome"], bold=row["outcome"] != "undecided"),
        Cell(points(row["detectable"])),
        Cell(settling(row, unit) if row["outcome"] == "undecided" else ""),
    ]


def settling(row: Any, unit: str) -> str:
    """Return what it takes, by the row of a comparison, to see a difference of the size of the margin."""
    units, images = row["units_needed"], row["images_needed"]
    if np.isnan(row["detectable"]):
        return f"2 {unit}s or more"
    ways = [f"{units:,.0f} {unit}s"] if not np.isnan(units) else []
    ways += [f"{images:,.0f} images"] if not np.isnan(images) and row["detectable"] > 0 else []
    return " or ".join(ways) or f"{unit}s and images, both more"


def _notes(table: pd.DataFrame) -> list[str]:
    if table.empty:
        return ["No method has a score beside one of full fine-tuning."]
    metric, margin = METRICS[table["metric"].iloc[0]].label, table["margin"].iloc[0]
    return [
        f"Difference in {metric}, paired by seed and test image, with its 95 % interval over training seeds and test "
        "images. p: of no difference, adjusted by Holm's procedure over the methods of the group. Outcome: better or "
        f"worse where this p is below {SIGNIFICANT}; else equivalent where the difference is shown to be below "
        f"{points(margin)} either way, not inferior where it is shown not to be a loss of so much; undecided where the "
        "data show none of these. Could be seen: the difference that this comparison would have found with a power "
        "of 80 %. Would settle it: the seeds, or the test images, with which a difference of the size of the margin "
        "could be seen, all else equal. One seed does not show how seeds differ: it gives no interval and no p."
    ]
