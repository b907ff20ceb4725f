"""Contrasts: every method against every other one, averaged over blocks."""

from itertools import combinations

import numpy as np
import pandas as pd

from medpeft.networks.encoders import encoder
from medpeft.statistics.blocks import GROUP
from medpeft.statistics.bootstrap import Draws, interval, mean_over_seeds, p_value, primary

CONTRAST_COLUMNS = [*GROUP, "method", "other", "blocks", "difference", "low", "high", "p_value"]
# The scores of one method, as in `Draws`, by block: dataset and backbone.
Blocks = dict[tuple[str, str], pd.DataFrame]


def contrasts(draws: Draws) -> pd.DataFrame:
    """Return for each kind of encoder and fraction, how much every method differs from every other one.

    The blocks are taken as they are: the test images and seeds within them are resampled, they themselves are not.

    Returns:
        One row two methods, in either order: difference in micro-F1 averaged over the blocks that both have, its
        interval low, high, and p_value (two-sided bootstrap).
    """
    groups: dict[tuple[str, float], dict[str, Blocks]] = {}
    for cell, scores in primary(draws):
        by_method = groups.setdefault((encoder(cell.backbone), cell.fraction), {})
        by_method.setdefault(cell.method, {})[cell.dataset, cell.backbone] = scores
    rows: list[tuple] = []
    for group, by_method in groups.items():
        for one, other in combinations(by_method, 2):
            difference, blocks = _mean_difference(by_method[one], by_method[other])
            if blocks:
                low, high = interval(difference).values()
                chance = p_value(difference)
                rows.append((*group, one, other, blocks, difference[0], low, high, chance))
                rows.append((*group, other, one, blocks, 0 - difference[0], -high, -low, chance))
    return pd.DataFrame(rows, columns=CONTRAST_COLUMNS).sort_values(CONTRAST_COLUMNS[:4], ignore_index=True)


def _mean_difference(one: Blocks, other: Blocks) -> tuple[np.ndarray, int]:
    """Return the draws of the difference, averaged over the blocks with seeds that both have, and their number."""
    gains = {block: (one[block] - other[block]).dropna() for block in one if block in other}
    each = [mean_over_seeds(dataset, gain.to_numpy()) for (dataset, _), gain in gains.items() if len(gain)]
    return np.sum(each, axis=0) / max(len(each), 1), len(each)
