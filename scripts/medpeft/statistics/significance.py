"""What counts as a significant difference: from which method, at which level, among how many comparisons."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

BASELINE = "full"  # the method that every other one is tested against
SIGNIFICANT = 0.05


def holm(p_values: pd.Series | Sequence[float]) -> np.ndarray:
    """Return the p-values adjusted for their number, in the given order.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    values = np.asarray(p_values, float)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted
