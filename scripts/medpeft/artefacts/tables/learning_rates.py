"""The learning rate that each search chose, on how much evidence, and its multiple of that of full fine-tuning."""

from typing import Any

import numpy as np
import pandas as pd

from medpeft.artefacts.cells import BLIND, blind_notes
from medpeft.artefacts.markup import GAP, MINUS, Cell, Layout, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import percent, plain, span
from medpeft.base.frames import each_group, each_row
from medpeft.base.runs import Search
from medpeft.statistics.searches import indistinguishable, standard_error

CAPTION = "Learning rates found by the search."
TABLE = Table(CAPTION, "costs", 3, ("searches",), requires=("classification",))

COLUMNS = [
    *Search._fields,
    *("learning_rate", "validation_score", "standard_error", "validation_images", "floor", "blind"),
    *("trials", "trials_failed", "indistinguishable", "at_edge"),
]
SHARED = ["dataset", "backbone", "fraction", "seed"]  # by the searches that are set beside that of full fine-tuning
NOTES = [
    "Validation score: its standard error is that of a share of the validation images, which chose the rate.",
    "Alike: rates, of trials that ran to the end, within one standard error of the best, itself included.",
    "At the edge: the best trial was the lowest or the highest one tried.",
]


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """The learning rate that each search chose, on how much evidence, and its multiple of that of full fine-tuning."""
    chosen = [_row(search, *found) for search, found in sources.searches.items()]
    table = pd.DataFrame(chosen, columns=COLUMNS)
    table = table.astype({"fraction": float, "seed": "Int64", "learning_rate": float, "validation_score": float})
    full = table.loc[table["method"] == "full", [*SHARED, "learning_rate"]].rename(columns={"learning_rate": "full"})
    table = table.merge(full, on=SHARED, how="left")
    table["times_full"] = table["learning_rate"] / table.pop("full")
    shown = table.assign(case=[_case(row) for row in each_row(table)])
    groups = {
        f"{case}: {span(rows['validation_images'])} validation images": [
            _line(row) for method in in_order(rows["method"]) for row in each_row(rows[rows["method"] == method])
        ]
        for case, rows in each_group(shown, "case")
    }
    header = ["Method", "Learning rate", "Times full's", "Validation score", "Trials", "Alike", "At the edge"]
    return table, Layout(header, groups, [*NOTES, *blind_notes(table)])


def _row(search: Search, trials: pd.DataFrame, choice: dict) -> dict:
    rates, score, images = trials["learning_rate"], choice["validation_score"], choice["validation_images"]
    complete = trials.loc[trials["state"] == "complete", "validation_score"]
    return search._asdict() | {
        "learning_rate": choice["learning_rate"],
        "validation_score": score,
        "standard_error": np.nan if score is None else standard_error(score, images),
        "validation_images": images,
        "floor": choice["floor"],
        "blind": choice["blind"],
        "trials": len(trials),
        "trials_failed": int((trials["state"] == "fail").sum()),
        "indistinguishable": indistinguishable(complete, images),
        "at_edge": choice["learning_rate"] in (rates.min(), rates.max()),
    }


def _case(row: Any) -> str:
    """Return what the group of searches is headed by that share the dataset, the backbone and the fraction."""
    return f"{plain(row.dataset)}, {row.backbone}" + ("" if np.isnan(row.fraction) else f", {percent(row.fraction)}")


def _line(row: Any) -> list[Cell]:
    trials = f"{row.trials}" + (f" ({row.trials_failed} failed)" if row.trials_failed else "")
    rate = f"{row.learning_rate:.2e}".replace("e-0", "e-").replace("-", MINUS)
    score = number(row.validation_score) + BLIND * row.blind
    return [
        Cell(style(row.method).label + ("" if pd.isna(row.seed) else f", seed {row.seed}")),
        Cell(GAP if np.isnan(row.learning_rate) else rate),
        Cell(number(row.times_full, 1)),
        Cell(score, "" if np.isnan(row.standard_error) else f"± {number(row.standard_error)}"),
        Cell(trials),
        Cell(f"{row.indistinguishable}"),
        Cell("yes" if row.at_edge else "no"),
    ]
