"""Micro-F1 of every method under both protocols: how much of a score, and of a gain, is leakage."""

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import Cell, Layout, interval, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import percent, plain
from medpeft.base.errors import UserError
from medpeft.base.frames import each_group
from medpeft.base.runs import CELL

CAPTION = "Scores under a split that keeps patients and duplicates together, and under one that need not."
TABLE = Table(CAPTION, "answers", 4, ("scores", "other_scores", "splits"), requires=("classification", "counterpart"))


def refuse_other_protocols(protocols: list[str]) -> None:
    """Refuse a study and a counterpart, with these `protocols`, that are not split in both ways."""
    if sorted(protocols) != ["grouped", "paper"]:
        raise UserError(
            f"this study and its counterpart are split by {' and '.join(protocols)}, where one must be grouped "
            "and one paper: correct split.counterpart or split.protocol"
        )


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """Micro-F1 of every method under both protocols: how much of a score, and of a gain, is leakage.

    The interval of a difference follows from those of its two scores as if their test images were independent
    (Zou and Donner 2008, Statistics in Medicine 27:1693); shared images make it wider than it need be.
    """
    refuse_other_protocols(sources.splits)
    both = {}
    for protocol, scores in zip(sources.splits, (sources.scores, sources.other_scores), strict=True):
        of_f1 = scores[scores["metric"] == "f1_micro"].set_index(CELL)
        both[protocol] = of_f1[["mean", "low", "high"]].add_suffix(f"_{protocol}")
    table = both["grouped"].join(both["paper"], how="inner").reset_index()
    table["difference"] = table["mean_paper"] - table["mean_grouped"]
    below = np.hypot(table["mean_paper"] - table["low_paper"], table["high_grouped"] - table["mean_grouped"])
    above = np.hypot(table["high_paper"] - table["mean_paper"], table["mean_grouped"] - table["low_grouped"])
    table["low"], table["high"] = table["difference"] - below, table["difference"] + above
    full = table[table["method"] == "full"]
    case = ["dataset", "backbone", "fraction"]
    full = table[case].merge(full[[*case, "mean_grouped", "mean_paper"]], on=case, how="left")
    for protocol in both:
        table[f"gain_{protocol}"] = table[f"mean_{protocol}"] - full[f"mean_{protocol}"].to_numpy()
    groups = {
        f"{plain(dataset)}, {backbone}, {percent(fraction)}": [
            _leakage_line(rows[rows["method"] == method].iloc[0]) for method in in_order(rows["method"])
        ]
        for (dataset, backbone, fraction), rows in each_group(table, case)
    }
    header = ["Method", "Grouped", "Paper", "Paper less grouped", "Gain over full, grouped", "Gain over full, paper"]
    note = (
        "Micro-F1, mean over seeds with its 95 % interval. Grouped keeps a patient and all duplicates on one side; "
        "paper (the publisher's split, or one of single images) need not: what it scores more may be leakage, and "
        "chance where the interval holds 0."
    )
    return table, Layout(header, groups, [note])


def _leakage_line(row: pd.Series) -> list[Cell]:
    scores = [
        Cell(number(row[f"mean_{protocol}"]), interval(row[f"low_{protocol}"], row[f"high_{protocol}"]))
        for protocol in ("grouped", "paper")
    ]
    difference = Cell(number(row["difference"], sign=True), interval(row["low"], row["high"], sign=True))
    gains = [Cell(number(row[f"gain_{protocol}"], sign=True)) for protocol in ("grouped", "paper")]
    return [Cell(style(row["method"]).label), *scores, difference, *gains]
