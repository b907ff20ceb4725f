"""Published numbers beside those of the study."""

import numpy as np
import pandas as pd

from medpeft.artefacts.cells import score_at
from medpeft.artefacts.markup import Cell, number
from medpeft.artefacts.sources import Sources

METRIC = "f1_micro"  # what the published F1 is taken for


def published_f1(sources: Sources, *names: str) -> pd.DataFrame:
    """Return the cells of the published tables `names`; none where the study's primary metric is another than theirs.

    Their F1 is the column `published_f1`.
    """
    cells = pd.concat([sources.published[name] for name in names]).rename(columns={"f1": "published_f1"})
    return cells if sources.primary == METRIC else cells.iloc[:0]


def published_cell(by_cell: pd.DataFrame, key: tuple, metric: str, best: float) -> Cell:
    """Return the `metric` at `key`, as `score_at` does, with the published F1 below where there is one."""
    cell = score_at(by_cell, key, metric, best)
    published = _published_line(by_cell.loc[key]) if key in by_cell.index else ""
    return cell._replace(below="\n".join(filter(None, [cell.below, published])))


def _published_line(row: pd.Series) -> str:
    if not np.isnan(row["published_f1"]):
        return beside(row["published_f1"], row["difference"])
    other = row.get("published_resnet50", np.nan)
    return "" if np.isnan(other) else f"ResNet-50: {number(other, 2)}"


def beside(published: float, difference: float) -> str:
    """Return a published score and the difference of ours from it; where either is missing it is left out."""
    if np.isnan(published):
        return ""
    return number(published, 2) + ("" if np.isnan(difference) else f" ({number(difference, sign=True)})")
