"""Whether PEFT beats full fine-tuning: the best method of each case, and which differ significantly."""

from typing import Any

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import GAP, Cell, Layout, interval, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.selection import NOT_PEFT, outcomes
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import percent, plain
from medpeft.base.frames import each_group, each_row, row_at
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.significance import SIGNIFICANT

CAPTION = "The best PEFT method against full fine-tuning, and the methods that differ from it."
TABLE = Table(CAPTION, "answers", 5, ("comparisons",), requires=("full",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """Whether PEFT beats full fine-tuning: the best method of each case, and which differ significantly.

    Better and worse are judged by the p-values adjusted over all methods of the case. The best method is chosen
    after the fact, so its difference is a slightly optimistic one; the adjustment covers that choice.
    """
    rows = []
    for case, group in each_group(sources.comparisons, ["metric", "dataset", "backbone", "fraction"]):
        peft = group[~group["method"].isin(NOT_PEFT)]
        row = dict(zip(["metric", "dataset", "backbone", "fraction"], case, strict=True))
        row |= {outcome: " ".join(in_order(methods)) for outcome, methods in outcomes(group).items()}
        if not peft.empty:
            best = row_at(peft, peft["difference"].idxmax())
            kept = ["difference", "low", "high", "p_value", "p_adjusted", "seeds_won", "seeds_compared"]
            row |= {"best_peft": best["method"]} | {name: best[name] for name in kept}
        rows.append(row)
    columns = ["metric", "dataset", "backbone", "fraction", "best_peft", "difference", "low", "high", "p_value"]
    columns += ["p_adjusted", "seeds_won", "seeds_compared", "better", "worse", "undecided"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.sort_values(
        ["metric", "dataset", "backbone", "fraction"], ascending=[False, True, True, True], ignore_index=True
    )
    groups = {
        f"{METRICS[metric].label}: {plain(dataset)}, {backbone}": [_comparison_line(row) for row in each_row(of_case)]
        for (metric, dataset, backbone), of_case in each_group(table, ["metric", "dataset", "backbone"])
    }
    header = ["Training images", "Best method", "Gain over full", "Adjusted p", "Seeds won", "Better", "Worse"]
    note = (
        "Gain: difference in F1 of the best method from full fine-tuning, with its paired 95 % bootstrap interval over "
        "test images and seeds. "
        f"Better, worse: every method that differs from full fine-tuning with an adjusted p below {SIGNIFICANT}."
    )
    return table, Layout(header, groups, [note])


def _comparison_line(row: Any) -> list[Cell]:
    method = style(row.best_peft).label if isinstance(row.best_peft, str) else GAP
    seeds = GAP if np.isnan(row.seeds_won) else f"{row.seeds_won:.0f} of {row.seeds_compared:.0f}"
    return [
        Cell(percent(row.fraction)),
        Cell(method),
        Cell(number(row.difference, sign=True), interval(row.low, row.high, sign=True)),
        Cell(number(row.p_adjusted)),
        Cell(seeds),
        *(Cell(", ".join(style(name).label for name in names.split()) or GAP) for names in (row.better, row.worse)),
    ]
