"""Crossovers: the size of the training set from which full fine-tuning is ahead of a method."""

from itertools import pairwise

import numpy as np
import pandas as pd

from medpeft.base.frames import each_group
from medpeft.base.runs import CELL
from medpeft.statistics.bootstrap import ScoredCell, Scores
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.significance import BASELINE

CROSSOVER_COLUMNS = [*CELL[:3], "fraction", "score", "low", "high"]


def crossovers(scores: Scores, comparisons: pd.DataFrame) -> pd.DataFrame:
    """Return where full fine-tuning overtakes each method as training images are added, where the data show it.

    They show it where the method is decided to be better at one fraction and worse at a larger one. Lines through the
    means cross much more often: those of two equal methods do in a quarter to a half of all studies.

    Args:
        scores: Those of the primary metric.
        comparisons: The differences of methods from full fine-tuning.

    Returns:
        One row a dataset, backbone and method with a crossover: low and high, the largest fraction with the method
        shown ahead and the next one with it shown behind, and between them fraction and score, where the means cross.
    """
    found = []
    shown = comparisons[comparisons["outcome"].isin(["better", "worse"])]
    for (dataset, backbone, method), rows in each_group(shown.sort_values("fraction"), CELL[:3]):
        outcomes, fractions = rows["outcome"].to_list(), rows["fraction"].to_list()
        falls = [place for place, pair in enumerate(pairwise(outcomes)) if pair == FALL]
        if falls:
            low, high = fractions[falls[-1]], fractions[falls[-1] + 1]
            cell = ScoredCell(dataset, backbone, method, low, comparisons["metric"].iloc[0])
            found.append((dataset, backbone, method, *_meeting(scores, cell, low, high), low, high))
    return pd.DataFrame(found, columns=CROSSOVER_COLUMNS)


FALL = ("better", "worse")


def _meeting(scores: Scores, cell: ScoredCell, low: float, high: float) -> tuple[float, float]:
    """Return fraction and score where the line of the means of `cell`'s method meets that of full fine-tuning."""
    lines = {}
    for name in (cell.method, BASELINE):
        means = {
            place.fraction: each.draws[0].mean()
            for place, each in scores.items()
            if place._replace(fraction=low) == cell._replace(method=name) and low <= place.fraction <= high
        }
        lines[name] = pd.Series(means).sort_index()
    both = pd.DataFrame(lines).dropna()
    sign = METRICS[cell.metric].sign
    of_method, full = (sign * both[[name]].to_numpy().T for name in (cell.method, BASELINE))
    fraction, score = crossing(both.index.to_numpy(float), of_method, full)
    return float(fraction[0]), sign * float(score[0])


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
