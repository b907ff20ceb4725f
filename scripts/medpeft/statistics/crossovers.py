"""Crossovers: the size of the training set from which full fine-tuning is ahead of a method."""

import numpy as np
import pandas as pd

from medpeft.base.runs import CELL
from medpeft.statistics.bootstrap import Draws, interval, mean_over_seeds, primary
from medpeft.statistics.metrics import PRIMARY
from medpeft.statistics.significance import BASELINE

# Of one dataset and backbone: for each method the scores, as in `Draws`, by fraction.
Lines = dict[str, dict[float, pd.DataFrame]]


def crossovers(draws: Draws) -> pd.DataFrame:
    """Return where full fine-tuning overtakes each method for good as training images are added.

    Returns:
        One row a dataset, backbone and method that shares two fractions or more with full fine-tuning: fraction and
        f1_micro of the crossing (empty where there is none), the interval low, high of that fraction over the
        resamples that have a crossing, and their share.
    """
    seeds: dict[str, set[int]] = {}
    lines: dict[tuple[str, str], Lines] = {}
    for cell, scores in primary(draws):
        seeds.setdefault(cell.dataset, set()).update(scores.index)
        lines.setdefault((cell.dataset, cell.backbone), {}).setdefault(cell.method, {})[cell.fraction] = scores
    rows: list[tuple] = []
    for (dataset, backbone), by_method in lines.items():
        means = _means(dataset, sorted(seeds[dataset]), by_method)
        full = means.pop(BASELINE, {})
        for method, line in means.items():
            fractions = sorted(line.keys() & full.keys())
            if len(fractions) > 1:
                stacked = [np.stack([scores[fraction] for fraction in fractions], axis=1) for scores in (line, full)]
                rows.append((dataset, backbone, method, *_crossover(fractions, *stacked)))
    return pd.DataFrame(rows, columns=[*CELL[:3], "fraction", PRIMARY, "low", "high", "share"])


def crossing(fractions: np.ndarray, scores: np.ndarray, full: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where full fine-tuning overtakes a method for good, drawing straight lines over log fractions.

    Args:
        fractions: Rising, float (n,).
        scores: Those of the method, float (lines, n).
        full: Those of full fine-tuning, float (lines, n).

    Returns:
        The fraction and the score of each line's last crossing, float (lines,) each. They are NaN where full
        fine-tuning was never behind or is not ahead at the end. Ties count as neither.
    """
    lead = scores - full
    place, lines = np.arange(len(fractions)), np.arange(len(lead))
    last_ahead = np.where(lead > 0, place, -1).max(axis=1)
    exists = (last_ahead >= 0) & (lead[:, -1] < 0)
    right = ((lead < 0) & (place > last_ahead[:, None])).argmax(axis=1)
    left = right - 1
    fall = lead[lines, left] - lead[lines, right]
    share = np.divide(lead[lines, left], fall, out=np.full(len(lead), np.nan), where=exists)
    position = np.log(fractions)
    fraction = np.exp(position[left] + share * (position[right] - position[left]))
    return fraction, scores[lines, left] + share * (scores[lines, right] - scores[lines, left])


def _means(dataset: str, seeds: list[int], by_method: Lines) -> dict[str, dict[float, np.ndarray]]:
    """Return the means over all `seeds` of the dataset, for each method by fraction."""
    return {
        method: {
            fraction: mean_over_seeds(dataset, scores.reindex(seeds).to_numpy()) for fraction, scores in line.items()
        }
        for method, line in by_method.items()
    }


def _crossover(fractions: list[float], scores: np.ndarray, full: np.ndarray) -> tuple[float, ...]:
    """Return fraction and score of the crossing, the interval of the fraction, the share of resamples with one."""
    fraction, score = crossing(np.array(fractions), scores, full)
    defined = ~np.isnan(scores - full).any(axis=1)
    share = (~np.isnan(fraction[1:])).sum() / defined[1:].sum()
    return (fraction[0], score[0], *interval(fraction).values(), share)
