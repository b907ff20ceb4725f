"""Published numbers beside those of the study."""

import numpy as np
import pandas as pd

from medpeft.artefacts.cells import score_at
from medpeft.artefacts.markup import Cell, number


def published_cell(by_cell: pd.DataFrame, key: tuple, best: float) -> Cell:
    """Return the micro-F1 at `key`, as `score_at` does, with the published one below."""
    cell = score_at(by_cell, key, best)
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
