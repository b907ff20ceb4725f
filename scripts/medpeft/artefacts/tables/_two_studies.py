"""What two studies scored that differ in one thing alone, side by side: the tables `leakage` and `rate_fairness`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import Cell, Layout, interval, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.words import case_title
from medpeft.base.frames import each_group
from medpeft.base.runs import CELL

CASE = ["dataset", "backbone", "fraction"]


def side_by_side(scores: Mapping[str, pd.DataFrame], metric: str) -> pd.DataFrame:
    """Return the `metric` of the cells that two studies share, its difference, and the gains over full fine-tuning.

    The interval of a difference follows from those of its two scores as if they were independent (Zou and Donner 2008,
    Statistics in Medicine 27:1693); what they share, as test images, makes it wider than it need be.

    Args:
        scores: The scores of the first and of the second study, by what tells them apart.
        metric: The score to look at.

    Returns:
        One row a cell: its fields; of each study mean, low, high and gain, with `_` and its name; and difference
        (second less first), low and high.
    """
    first, second = scores
    found = [
        table[table["metric"] == metric].set_index(CELL)[["mean", "low", "high"]].add_suffix(f"_{name}")
        for name, table in scores.items()
    ]
    table = found[0].join(found[1], how="inner").reset_index()
    table["difference"] = table[f"mean_{second}"] - table[f"mean_{first}"]
    below = {name: table[f"mean_{name}"] - table[f"low_{name}"] for name in scores}
    above = {name: table[f"high_{name}"] - table[f"mean_{name}"] for name in scores}
    table["low"] = table["difference"] - np.hypot(below[second], above[first])
    table["high"] = table["difference"] + np.hypot(above[second], below[first])
    full = table[table["method"] == "full"]
    full = table[CASE].merge(full[[*CASE, *(f"mean_{name}" for name in scores)]], on=CASE, how="left")
    for name in scores:
        table[f"gain_{name}"] = table[f"mean_{name}"] - full[f"mean_{name}"].to_numpy()
    return table


def layout(table: pd.DataFrame, names: Mapping[str, str], note: str) -> Layout:
    """Return the table of `side_by_side` for readers.

    Args:
        table: What it returns; a column `gain_difference` that was added to it stands last.
        names: What the two studies are called in the header, by what tells them apart.
        note: What stands below.
    """
    first, second = names.values()
    header = ["Method", first, second, f"{second} less {first.lower()}"]
    header += [f"Gain over full, {name.lower()}" for name in names.values()] + ["Gain moves by"] * (
        "gain_difference" in table
    )
    groups = {
        case_title(*case): [
            _line(rows[rows["method"] == method].iloc[0], list(names)) for method in in_order(rows["method"])
        ]
        for case, rows in each_group(table, CASE)
    }
    return Layout(header, groups, [note])


def _line(row: pd.Series, names: list[str]) -> list[Cell]:
    scores = [Cell(number(row[f"mean_{name}"]), interval(row[f"low_{name}"], row[f"high_{name}"])) for name in names]
    difference = Cell(number(row["difference"], sign=True), interval(row["low"], row["high"], sign=True))
    gains = [*(f"gain_{name}" for name in names), "gain_difference"]
    moved = [Cell(number(row[gain], sign=True)) for gain in gains if gain in row]
    return [Cell(style(row["method"]).label), *scores, difference, *moved]
