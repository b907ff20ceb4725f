"""Mean rank of every method over datasets, how sure it is, and its test against full fine-tuning."""

import pandas as pd

from medpeft.artefacts.markup import Cell, Layout, interval, number, p_value
from medpeft.artefacts.palette import style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import friedman_words, group_title
from medpeft.base.frames import each_group, each_row, row_at
from medpeft.statistics.metrics import METRICS

CAPTION = "Mean ranks over datasets."
TABLE = Table(CAPTION, "choice", 3, ("ranks", "friedman"), requires=("ranks",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """Mean rank of every method over datasets, how sure it is, and its test against full fine-tuning."""
    tests = sources.friedman.set_index(["encoder", "fraction"])
    groups = {
        f"{group_title(encoder, fraction, rows)}. {friedman_words(row_at(tests, (encoder, fraction)))}": [
            [
                Cell(style(row.method).label),
                Cell(number(row.mean_rank, 2), interval(row.low, row.high), row.mean_rank == rows["mean_rank"].min()),
                Cell(interval(row.least_without_one, row.most_without_one)),
                Cell(number(row.score)),
                Cell(p_value(row.p_value)),
                Cell(p_value(row.p_adjusted)),
            ]
            for row in each_row(rows)
        ]
        for (encoder, fraction), rows in each_group(sources.ranks, ["encoder", "fraction"])
    }
    metrics = [METRICS[name].label for name in sources.friedman["metric"].unique()]
    header = ["Method", "Mean rank", "Without one dataset", "Mean score", "p against full", "Adjusted p"]
    note = (
        f"Ranks by {', '.join(metrics)} within each dataset, its backbones averaged first, ties averaged. "
        "In brackets: the 95 % interval over datasets. Without one dataset: the least and the most of the mean rank "
        "where one is left out. p: Wilcoxon's signed-rank test against full fine-tuning over datasets, adjusted by "
        "Holm's procedure; a gap where so few datasets cannot give a significant one."
    )
    return sources.ranks, Layout(header, groups, [note])
