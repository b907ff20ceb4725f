"""The bootstrap: scores on resampled test images, from which the variance of an estimate over images follows.

Images are resampled by cluster: all those of a patient, or duplicates of one picture, together. All backbones, methods,
fractions and seeds of one dataset see the same resamples, so that their differences are paired.

Source: Efron & Tibshirani 1993, An introduction to the bootstrap, chapter 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.runs import Run
from medpeft.statistics.evaluate import class_probabilities
from medpeft.statistics.inference import Estimate
from medpeft.statistics.metrics import Tallies, with_interval

RESAMPLES = 2_000  # enough for a variance: its own standard error is about 3 % of it


class ScoredCell(NamedTuple):
    """A cell and one of its metrics."""

    dataset: str
    backbone: str
    method: str
    fraction: float
    metric: str

    @classmethod
    def of(cls, run: Run, metric: str) -> Self:
        """Return the cell of a run, with one of its metrics."""
        return cls(run.dataset, run.backbone, run.method, float(run.fraction), metric)


@dataclass(frozen=True)
class SeedScores:
    """The scores of one cell by one metric, or differences of such scores.

    Attributes:
        draws: Float, one row a seed (its number is the index), a column a resample of the test images; column 0 is the
            score itself, without resampling.
        images: How many test images, or patients, were resampled.
        test_share: Test images over training images where each seed has a split of its own; None where all share one.
    """

    draws: pd.DataFrame
    images: int
    test_share: float | None = None

    def estimate(self) -> Estimate:
        """Return the mean over seeds, and how it varies."""
        if self.test_share is not None:
            return Estimate.of_splits(self.draws[0].to_numpy(), self.test_share)
        return Estimate.of_draws(self.draws.to_numpy(), self.images)

    def less(self, other: "SeedScores") -> "SeedScores":
        """Return the differences from `other`, for the seeds that both have."""
        seeds = self.draws.index.intersection(other.draws.index)
        return SeedScores(self.draws.loc[seeds] - other.draws.loc[seeds], self.images, self.test_share)


def averaged(cells: Sequence[SeedScores]) -> SeedScores:
    """Return the mean of several cells of one dataset, for the seeds that all have."""
    draws = [cell.draws for cell in cells]
    seeds = sorted(set.intersection(*(set(each.index) for each in draws)))
    mean = np.mean([each.loc[seeds].to_numpy() for each in draws], axis=0)
    return SeedScores(pd.DataFrame(mean, index=seeds), cells[0].images, cells[0].test_share)


Scores = dict[ScoredCell, SeedScores]


class Bootstrap:
    """Resamples of one test set: the same for every run, so that differences between runs are paired.

    Args:
        dataset: Its name seeds the resampling.
        resamples: How many; none where each seed has a test set of its own.
    """

    def __init__(self, dataset: str, resamples: int = RESAMPLES):
        self.dataset = dataset
        self.resamples = resamples
        self.random = np.random.default_rng([0, *dataset.encode()])
        self.images: pd.DataFrame | None = None  # the test set, from the first predictions

    @property
    def size(self) -> int:
        """The number of test images, or patients, that are resampled."""
        return int(self.clusters.max()) + 1

    def scores(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return the draws of each metric, float (1 + resamples,), from the predictions of one run.

        Raises:
            UserError: The predictions are not for the same images as all before.
        """
        table = table.sort_values("image_id")
        classes, probabilities = class_probabilities(table)
        self._check_same_test_set(table[["image_id", "label", "cluster"]], classes)
        predicted = np.eye(len(classes))[probabilities.argmax(axis=1)]
        one_hots = (self.truth * predicted, predicted, self.truth)
        tallies = Tallies(*((self.weights @ self._per_cluster(one_hot)).astype(float) for one_hot in one_hots))
        return {metric: function(tallies) for metric, function in with_interval().items()}

    def _per_cluster(self, one_hot: np.ndarray) -> np.ndarray:
        """Return the sums over the images of each cluster, float32 (clusters, classes)."""
        sums = np.zeros((self.size, one_hot.shape[1]), np.float32)
        np.add.at(sums, self.clusters, one_hot)
        return sums

    def _check_same_test_set(self, images: pd.DataFrame, classes: list[str]) -> None:
        images = images.reset_index(drop=True)
        if self.images is None:
            self.images = images
            self.clusters = pd.factorize(images["cluster"])[0]
            self.truth = np.eye(len(classes))[pd.Index(classes).get_indexer(pd.Index(images["label"]))]
            draws = self.random.multinomial(self.size, np.full(self.size, 1 / self.size), size=self.resamples)
            self.weights = np.vstack([np.ones(self.size), draws]).astype(np.float32)  # whole numbers, so exact
        elif not images.equals(self.images):
            raise UserError(
                f"the runs on {self.dataset} do not share one test set, so they cannot be compared: "
                "delete those made with an older split and run them again"
            )
