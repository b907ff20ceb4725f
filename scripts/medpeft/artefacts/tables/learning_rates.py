"""The learning rate that the search chose for every method, and its multiple of that of full fine-tuning."""

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import GAP, MINUS, Cell, Layout, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import plain
from medpeft.base.frames import each_group, row_at
from medpeft.base.runs import Search

CAPTION = "Learning rates found by the search."
TABLE = Table(CAPTION, "costs", 3, ("searches",), requires=("classification",))

COLUMNS = ["dataset", "backbone", "method", "learning_rate", "validation_score", "trials", "trials_failed", "at_edge"]


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """The learning rate that the search chose for every method, and its multiple of that of full fine-tuning."""
    chosen = [_row(search, *found) for search, found in sources.searches.items()]
    table = pd.DataFrame(chosen, columns=COLUMNS)
    table = table.astype({"learning_rate": float, "validation_score": float})
    full = table[table["method"] == "full"].set_index(["dataset", "backbone"])["learning_rate"].rename("full")
    table = table.join(full, on=["dataset", "backbone"])
    table["times_full"] = table["learning_rate"] / table.pop("full")
    groups = {}
    for (dataset, backbone), rows in each_group(table, ["dataset", "backbone"]):
        by_method = rows.set_index("method")
        groups[f"{plain(dataset)}, {backbone}"] = [
            _line(method, row_at(by_method, method)) for method in in_order(rows["method"])
        ]
    header = ["Method", "Learning rate", "Times full's", "Validation score", "Trials", "At the edge"]
    return table, Layout(header, groups, ["At the edge: the best trial was the lowest or the highest one tried."])


def _row(search: Search, trials: pd.DataFrame, choice: dict) -> dict:
    rates = trials["learning_rate"]
    return search._asdict() | {
        "learning_rate": choice["learning_rate"],
        "validation_score": choice["validation_score"],
        "trials": len(trials),
        "trials_failed": int((trials["state"] == "fail").sum()),
        "at_edge": choice["learning_rate"] in (rates.min(), rates.max()),
    }


def _line(method: str, row: pd.Series) -> list[Cell]:
    trials = f"{row['trials']}" + (f" ({row['trials_failed']} failed)" if row["trials_failed"] else "")
    return [
        Cell(style(method).label),
        Cell(
            GAP
            if np.isnan(row["learning_rate"])
            else f"{row['learning_rate']:.2e}".replace("e-0", "e-").replace("-", MINUS)
        ),
        Cell(number(row["times_full"], 1)),
        Cell(number(row["validation_score"])),
        Cell(trials),
        Cell("yes" if row["at_edge"] else "no"),
    ]
