"""Uncertainty over images of scores that have no value an image, such as FID: a jackknife that leaves out groups.

A group is a twentieth of the compared images. A patient's images are in one group. An image and its prompt leave
together, on the real and on the generated side, so that the same groups leave the scores of every method and seed.
Products of two runs' deviations, summed over the groups, estimate how their scores vary together from one set of
images to another.
"""

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

GROUPS = 20
JACKKNIFE_COLUMNS = ["group", "left_out", "fid", "kid", "precision", "recall"]


def groups_of(clusters: Any, count: int = GROUPS) -> np.ndarray:
    """Return the group, 1 to `count`, of each image: clusters are whole, and groups of nearly equal size.

    Args:
        clusters: What must stay together, one value an image.
        count: How many groups there are; as many as clusters where these are fewer.
    """
    numbers = pd.factorize(np.asarray(clusters))[0]
    sizes = np.bincount(numbers)
    shuffled = np.random.default_rng(0).permutation(len(sizes))
    smallest = [(0, group) for group in range(1, min(count, len(sizes)) + 1)]
    group_of = np.empty(len(sizes), int)
    for cluster in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        images, group = smallest[0]
        group_of[cluster] = group
        heapq.heapreplace(smallest, (images + int(sizes[cluster]), group))
    return group_of[numbers]


def jackknife_table(scores: np.ndarray, groups: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Return `scores` (1 + groups, metrics) as a table: row 0 is of all images, row g without those of group g.

    Args:
        scores: Of all images, then without each group; the first row alone where there is a single group.
        groups: The group, from 1, of each image.
        names: Of the metrics.
    """
    left_out = np.bincount(groups)
    table = pd.DataFrame(scores, columns=list(names))
    table.insert(0, "group", np.arange(len(table)))
    table.insert(1, "left_out", left_out[: len(table)])
    return table


def deviations(scores: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Return what each group contributes to the variance of a score, float (..., groups).

    The sum of their squares is the variance of the score over images, and that of the products of two scores'
    deviations is the covariance. A bias that falls with the number of images, as that of FID does, drops out.

    Args:
        scores: Of all images, and without each group, (..., 1 + groups).
        left_out: How many images each group has, (groups,).

    Returns:
        NaN where there are no scores without a group.

    Source:
        Busing, Meijer & van der Leeden 1999, Statistics and Computing 9:3-8.
    """
    if scores.shape[-1] == 1:
        return np.full((*scores.shape[:-1], 1), np.nan)
    whole, without = scores[..., :1], scores[..., 1:]
    ratio = left_out.sum() / left_out
    pseudo = ratio * whole - (ratio - 1) * without
    centre = (pseudo / ratio).sum(-1, keepdims=True)
    return (pseudo - centre) / np.sqrt(len(left_out) * (ratio - 1))
