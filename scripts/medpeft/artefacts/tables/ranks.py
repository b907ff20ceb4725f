"""Mean rank of every method over datasets and backbones, and its test against full fine-tuning."""

import pandas as pd

from medpeft.artefacts.markup import Cell, Layout, number
from medpeft.artefacts.palette import style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import friedman_words, group_title
from medpeft.base.frames import each_group, each_row, row_at

CAPTION = "Mean ranks over datasets and backbones."
TABLE = Table(CAPTION, "choice", 3, ("ranks", "friedman"), requires=("ranks",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """Mean rank of every method over datasets and backbones, and its test against full fine-tuning."""
    tests = sources.friedman.set_index(["encoder", "fraction"])
    groups = {
        f"{group_title(encoder, fraction, rows)}. {friedman_words(row_at(tests, (encoder, fraction)))}": [
            [
                Cell(style(row.method).label),
                Cell(number(row.mean_rank, 2), bold=row.mean_rank == rows["mean_rank"].min()),
                Cell(number(row.f1_micro)),
                Cell(number(row.p_value)),
                Cell(number(row.p_adjusted)),
            ]
            for row in each_row(rows)
        ]
        for (encoder, fraction), rows in each_group(sources.ranks, ["encoder", "fraction"])
    }
    header = ["Method", "Mean rank", "Mean micro-F1", "p against full", "Adjusted p"]
    note = (
        "Ranks within each block (a dataset with a backbone), ties averaged. p: Wilcoxon's signed-rank test against "
        "full fine-tuning over blocks, adjusted by Holm's procedure."
    )
    return sources.ranks, Layout(header, groups, [note])
