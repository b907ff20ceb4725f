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
from medpeft.data.labels import MULTI_CLASS, Labels
from medpeft.statistics.inference import Estimate
from medpeft.statistics.metrics import classification
from medpeft.statistics.scoring.predictions import scored

RESAMPLES = 2_000  # enough for a variance: its own standard error is about 3 % of it
AT_ONCE = 2**23  # weights of images, so that those of a large test set fit in memory


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


def cluster_weights(dataset: str, clusters: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Return how often each of so many clusters counts, float32 (1 + resamples, clusters): first once, then resampled.

    Args:
        dataset: Its name seeds the resampling, so that all that is scored on it is resampled alike.
        clusters: How many there are.
        resamples: How many rows follow the first.
    """
    random = np.random.default_rng([0, *dataset.encode()])
    draws = random.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    return np.vstack([np.ones(clusters), draws]).astype(np.float32)  # whole numbers, so exact


class Bootstrap:
    """Resamples of one test set: the same for every run, so that differences between runs are paired.

    Args:
        dataset: Its name seeds the resampling.
        metrics: What to score by.
        labels: Of what kind its labels are.
        resamples: How many; none where each seed has a test set of its own.
    """

    def __init__(self, dataset: str, metrics: Sequence[str], labels: Labels = MULTI_CLASS, resamples: int = RESAMPLES):
        self.dataset = dataset
        self.metrics = metrics
        self.labels = labels
        self.resamples = resamples
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
        self._check_same_test_set(table[["image_id", "label", "cluster"]])
        functions = classification()
        found: dict[str, list[np.ndarray]] = {metric: [] for metric in self.metrics}
        for weights in np.array_split(self.weights, 1 + self.weights.shape[0] * len(table) // AT_ONCE):
            test = scored(table, self.labels, weights[:, self.clusters])
            for metric, draws in found.items():
                draws.append(functions[metric](test))
        return {metric: np.concatenate(draws) for metric, draws in found.items()}

    def _check_same_test_set(self, images: pd.DataFrame) -> None:
        images = images.reset_index(drop=True)
        if self.images is None:
            self.images = images
            self.clusters = pd.factorize(images["cluster"])[0]
            self.weights = cluster_weights(self.dataset, self.size, self.resamples)
        elif not images.equals(self.images):
            raise UserError(
                f"the runs on {self.dataset} do not share one test set, so they cannot be compared: "
                "delete those made with an older split and run them again"
            )
