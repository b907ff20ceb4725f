"""What a search for a learning rate tells: whether its best trial is above chance, and which trials are as good."""

import math

import numpy as np
from numpy.typing import ArrayLike

TOLERANCE = 1e-9  # of scores that are shares of the same images, and equal but for rounding


def standard_error(score: float, images: int) -> float:
    """Return the standard error of a `score` between 0 and 1 over so many `images`, as that of a share.

    A mean over images of values between 0 and 1 has no larger one.
    """
    share = min(max(score, 0.0), 1.0)
    return math.sqrt(share * (1 - share) / images)


def is_blind(scores: ArrayLike, floor: float, images: int) -> bool:
    """Tell whether a search was blind: its trials say of no learning rate that it is better than another.

    That is so where the best score exceeds the floor by no more than chance allows, which is one standard error of the
    floor, and at least one image; or where all of several trials share one score. A search without a score has failed,
    which is another thing than blind.

    Args:
        scores: The validation scores of its trials; NaN where a trial failed.
        floor: What the same metric is where every image is given the same answer.
        images: How many validation images there are.
    """
    known = np.asarray(scores, dtype=float)
    known = known[~np.isnan(known)]
    if not len(known):
        return False
    chance = floor + max(standard_error(floor, images), 1 / images)
    return bool(known.max() <= chance + TOLERANCE or (len(known) > 1 and np.ptp(known) <= TOLERANCE))


def indistinguishable(scores: ArrayLike, images: int) -> int:
    """Return how many `scores` lie within one standard error of the best, that one included; NaN counts as none."""
    known = np.asarray(scores, dtype=float)
    known = known[~np.isnan(known)]
    if not len(known):
        return 0
    best = known.max()
    return int((known >= best - standard_error(best, images) - TOLERANCE).sum())
