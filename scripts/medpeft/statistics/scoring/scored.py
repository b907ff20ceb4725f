"""What metrics are functions of: the true classes, the probabilities, and how often each image counts."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

HALF = 0.5  # the probability from which a class of several labels is predicted where no threshold was chosen


@dataclass(frozen=True)
class Scored:
    """Predictions for N images of C classes, in R rows of weights: one row is one score.

    Attributes:
        truth: True classes, int (N,); of images with several labels bool (N, C).
        probabilities: Of all classes, float (N, C).
        weights: How often each image counts, float (R, N). A row of ones gives the score of the images as they are.
        known: Of images with several labels, which labels are known, bool (N, C); None where all are.
        thresholds: The probability from which each class is predicted, float (C,); None where none were chosen.
        scaled: The probabilities after temperature scaling, float (N, C); None where there is no temperature.
        positive: Of two classes, the number of the one that is looked for; None where no class is.
    """

    truth: np.ndarray
    probabilities: np.ndarray
    weights: np.ndarray
    known: np.ndarray | None = None
    thresholds: np.ndarray | None = None
    scaled: np.ndarray | None = None
    positive: int | None = None

    def weighted(self, weights: np.ndarray) -> Self:
        """Return the same predictions with other weights, float (R, N)."""
        return replace(self, weights=weights)

    @property
    def exclusive(self) -> bool:
        """Whether each image is of one class."""
        return self.truth.ndim == 1

    @property
    def averaged(self) -> list[int]:
        """The classes over which scores by class are averaged: all, or the one that is looked for."""
        return list(range(self.probabilities.shape[1])) if self.positive is None else [self.positive]

    @cached_property
    def total(self) -> np.ndarray:
        """How many images a row counts, float (R,)."""
        return self.weights.sum(axis=1, dtype=float)

    @cached_property
    def labels(self) -> np.ndarray:
        """Which images are of which class, bool (N, C)."""
        if self.exclusive:
            return self.truth[:, None] == np.arange(self.probabilities.shape[1])
        return self.truth.astype(bool)

    @cached_property
    def counted(self) -> np.ndarray:
        """Which labels are known, bool (N, C)."""
        return np.ones(self.probabilities.shape, bool) if self.known is None else self.known

    @cached_property
    def predicted(self) -> np.ndarray:
        """The most probable class, int (N,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def decided(self) -> np.ndarray:
        """Which images are predicted to be of which class, bool (N, C): of the most probable, or from thresholds."""
        if self.exclusive:
            return self.predicted[:, None] == np.arange(self.probabilities.shape[1])
        return self.probabilities >= (HALF if self.thresholds is None else self.thresholds)

    @cached_property
    def hits(self) -> np.ndarray:
        """How many images of a class are predicted to be of it, float (R, C)."""
        return self.count(self.labels & self.decided & self.counted)

    @cached_property
    def guesses(self) -> np.ndarray:
        """How many images are predicted to be of a class, float (R, C)."""
        return self.count(self.decided & self.counted)

    @cached_property
    def support(self) -> np.ndarray:
        """How many images are of a class, float (R, C)."""
        return self.count(self.labels & self.counted)

    def count(self, images: np.ndarray) -> np.ndarray:
        """Return how many of the `images`, bool (N, C), each row counts, float (R, C)."""
        return (self.weights @ images.astype(self.weights.dtype)).astype(float)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean over images of `values`, float (N,), in each row, float (R,); NaN in a row without any."""
        return ratio((self.weights * values.astype(float)).sum(axis=1), self.total)

    @cached_property
    def _steps(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        return {}

    def steps(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Return how many images with and without a class have at least each of its distinct probabilities.

        Returns:
            Two float arrays (R, distinct probabilities), from the highest probability to the lowest.
        """
        if label not in self._steps:
            images = np.flatnonzero(self.counted[:, label])
            images = images[np.argsort(-self.probabilities[images, label], kind="stable")]
            scores, labels = self.probabilities[images, label], self.labels[images, label]
            last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
            weights = self.weights[:, images].astype(float)
            every = weights.cumsum(axis=1)[:, last]
            true = (weights * labels).cumsum(axis=1)[:, last]
            self._steps[label] = true, every - true
        return self._steps[label]


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return `part` / `whole`, NaN where that is 0 by 0."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole != 0)


def mean_of_classes(each: np.ndarray) -> np.ndarray:
    """Return the mean over the classes with a score, float (R,), of `each`, float (R, C); NaN where none has one."""
    there = ~np.isnan(each)
    return ratio(np.where(there, each, 0.0).sum(axis=1), there.sum(axis=1).astype(float))
