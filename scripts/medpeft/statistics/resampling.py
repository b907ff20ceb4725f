"""Scores of resampled test images, of which the variance over test images follows.

Images of one cluster (a patient, or duplicates of one picture) are drawn together.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from medpeft.statistics.evaluate import class_probabilities

RESAMPLES = 2000  # variances alone are taken of them
# Metrics that are means over images; the others need images of every class.
PER_IMAGE = ("accuracy", "f1_micro", "ece", "brier")


class Drawn(NamedTuple):
    """The images of a test set, and how often each counts in each resample.

    Attributes:
        image_ids: Sorted, text.
        clusters: The cluster of each image, from 0.
        weights: Float (1 + resamples, images); row 0 counts each image once.
    """

    image_ids: list[str]
    clusters: np.ndarray
    weights: np.ndarray

    def of(self, images: np.ndarray) -> "Drawn":
        """Return the part of it that is of some `images`, bool (images,)."""
        ids = [name for name, chosen in zip(self.image_ids, images, strict=True) if chosen]
        return Drawn(ids, self.clusters[images], self.weights[:, images])

    @property
    def size(self) -> int:
        """How many clusters there are."""
        return len(np.unique(self.clusters))


def drawn(images: pd.DataFrame, name: str, resamples: int = RESAMPLES) -> Drawn:
    """Return resamples of `images` (image_id, cluster), which `name` seeds."""
    images = images.sort_values("image_id")
    clusters = pd.factorize(images["cluster"])[0]
    count = clusters.max() + 1
    random = np.random.default_rng([2, *name.encode()])
    draws = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    weights = np.vstack([np.ones(count), draws]).astype(np.float32)[:, clusters]
    return Drawn(images["image_id"].tolist(), clusters, weights)


def score_draws(metric: str, tables: Iterable[pd.DataFrame], resampled: Drawn) -> np.ndarray:
    """Return the scores of the predictions of several seeds, float (seeds, 1 + resamples); NaN where undefined.

    Args:
        metric: Its name in `METRICS`.
        tables: The predictions of each seed, of which those of other images are left out.
        resampled: The images that are scored.
    """
    return np.array([_scores(metric, _aligned(table, resampled), resampled.weights) for table in tables])


def _aligned(table: pd.DataFrame, resampled: Drawn) -> pd.DataFrame:
    return table.set_index("image_id").loc[resampled.image_ids].reset_index()


def _scores(metric: str, table: pd.DataFrame, weights: np.ndarray) -> np.ndarray:
    classes, probabilities = class_probabilities(table)
    truth = pd.Index(classes).get_indexer(pd.Index(table["label"]))
    if metric == "f1_micro":
        return weights @ (probabilities.argmax(axis=1) == truth) / weights.sum(axis=1)
    each = [_auroc(truth == label, probabilities[:, label], weights) for label in range(len(classes))]
    return np.nanmean(each, axis=0)


def _auroc(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    ones, zeros = (
        np.add.reduceat(weights[:, order] * chosen[order], starts, axis=1) for chosen in (positive, ~positive)
    )
    below = np.cumsum(zeros, axis=1) - zeros / 2
    pairs = ones.sum(axis=1) * zeros.sum(axis=1)
    found = (ones * below).sum(axis=1)
    return np.divide(found, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
