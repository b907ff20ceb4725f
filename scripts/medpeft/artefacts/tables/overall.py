"""Whether a method differs from full fine-tuning over all datasets, each dataset counting once."""

import pandas as pd

from medpeft.artefacts.markup import GAP, Cell, Layout, interval
from medpeft.artefacts.palette import in_order
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.tables.comparisons import HEADER, comparison_line
from medpeft.artefacts.words import group_title, plain
from medpeft.base.frames import each_group, row_at

CAPTION = "Each method against full fine-tuning over all datasets."
TABLE = Table(CAPTION, "choice", 5, ("overall",), requires=("ranks", "full"))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """Whether a method differs from full fine-tuning over all datasets, each dataset counting once."""
    groups = {}
    for (encoder, fraction), rows in each_group(sources.overall, ["encoder", "fraction"]):
        by_method = rows.set_index("method")
        groups[group_title(encoder, fraction, rows)] = [
            _line(method, row_at(by_method, method)) for method in in_order(rows["method"])
        ]
    header = [*HEADER, "Without one", "Needs"]
    note = (
        "Mean difference over datasets, the backbones of each averaged first, with its 95 % interval over datasets; p, "
        "outcome and what could be seen as in the table of single datasets. Without one: the least and the most of the "
        "difference where one dataset is left out. Needs: the datasets without which another outcome is decided."
    )
    return sources.overall, Layout(header, groups, [note])


def _line(method: str, row: pd.Series) -> list[Cell]:
    depends = row["depends_on"] if isinstance(row["depends_on"], str) else ""
    return [
        *comparison_line(method, row, row["unit"]),
        Cell(interval(row["least_without_one"], row["most_without_one"], sign=True)),
        Cell(", ".join(map(plain, depends.split())) or GAP),
    ]
