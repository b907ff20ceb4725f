"""The bootstrap: scores of resampled test images, and the intervals and p-values that follow from them.

The interval of a score answers how the score of the networks at hand would move with another sample of test images. It
resamples test images, all those of one cluster (a patient, or duplicates of one picture) together. How scores move
when training is repeated is another question, which the standard deviation over seeds answers.

Whether one method is better than another has to hold for both. So the interval and p-value of a difference resample
test images and seeds. With the usual 2 to 5 seeds the part of the seeds is narrow by a factor of about
sqrt(1 - 1/seeds), as any bootstrap of so few values is.

Test images and seeds of one dataset are resampled alike for all its backbones, methods and fractions. Those of
different datasets are resampled independently.

Source: Efron & Tibshirani 1993, An introduction to the bootstrap, chapters 13 (percentile interval) and 16 (tests).
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.runs import Run
from medpeft.statistics.metrics import PRIMARY, shown_in, with_interval
from medpeft.statistics.scoring.predictions import Labels, scored

RESAMPLES = 10_000
CONFIDENCE = 0.95
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


# The scores of cells: float, one row a seed, a column a resample; column 0 is the score itself, without resampling.
Draws = dict[ScoredCell, pd.DataFrame]


def primary(draws: Draws) -> Iterator[tuple[ScoredCell, pd.DataFrame]]:
    """Yield those of `draws` that are of the metric by which methods are ranked."""
    yield from ((cell, scores) for cell, scores in draws.items() if cell.metric == PRIMARY)


class Bootstrap:
    """Resamples of one test set: the same for every run, so that differences between runs are paired.

    Args:
        dataset: Its name seeds the resampling.
    """

    def __init__(self, dataset: str):
        self.dataset = dataset
        self.random = np.random.default_rng([0, *dataset.encode()])
        self.images: pd.DataFrame | None = None  # the test set, from the first predictions

    def scores(self, predictions: dict[int, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        """Return the scores of each metric with an interval, as in `Draws`, from the predictions of each seed.

        Raises:
            UserError: The predictions are not for the same images as all before.
        """
        found = {seed: self._resampled(table) for seed, table in predictions.items()}
        return {metric: pd.DataFrame({seed: found[seed][metric] for seed in found}).T for metric in _compared()}

    def _resampled(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        table = table.sort_values("image_id")
        self._check_same_test_set(table[["image_id", "label", "cluster"]])
        labels = Labels("multi-label" if "unknown" in table else "multi-class")  # the other kinds score alike
        found: dict[str, list[np.ndarray]] = {metric: [] for metric in _compared()}
        for weights in np.array_split(self.weights, 1 + self.weights.shape[0] * len(table) // AT_ONCE):
            test = scored(table, labels, weights[:, self.clusters])
            for metric, of_metric in found.items():
                of_metric.append(with_interval()[metric](test))
        return {metric: np.concatenate(of_metric) for metric, of_metric in found.items()}

    def _check_same_test_set(self, images: pd.DataFrame) -> None:
        images = images.reset_index(drop=True)
        if self.images is None:
            self.images = images
            self.clusters = pd.factorize(images["cluster"])[0]
            count = self.clusters.max() + 1
            draws = self.random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
            self.weights = np.vstack([np.ones(count), draws]).astype(np.float32)  # whole numbers, so exact
        elif not images.equals(self.images):
            raise UserError(
                f"the runs on {self.dataset} do not share one test set, so they cannot be compared: "
                "delete those made with an older split and run them again"
            )


def _compared() -> list[str]:
    """Return the metrics of which methods are compared."""
    return shown_in("comparisons")


def interval(draws: np.ndarray) -> dict[str, float]:
    """Return `low` and `high`, the percentile interval of bootstrap draws; draws that are NaN are left out.

    Args:
        draws: Float (1 + resamples,); element 0 is the estimate itself.
    """
    drawn = draws[1:][~np.isnan(draws[1:])]
    if not len(drawn):
        return {"low": np.nan, "high": np.nan}
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"low": low, "high": high}


def p_value(draws: np.ndarray) -> float:
    """Return the two-sided bootstrap p-value of no difference: twice the share of the rarer sign, never 0.

    Args:
        draws: Differences, float (1 + resamples,); element 0 is the estimate itself.
    """
    rarer = min((draws[1:] <= 0).sum(), (draws[1:] >= 0).sum())
    return min(1.0, 2 * (1 + rarer) / len(draws))


def mean_over_seeds(dataset: str, scores: np.ndarray) -> np.ndarray:
    """Return the mean over seeds, float (1 + resamples,): of all seeds first, then of resampled ones.

    Args:
        dataset: Its name seeds the resampling.
        scores: Float (seeds, 1 + resamples). A seed without scores is a row of NaN. A resample that draws no other
            seed is NaN.
    """
    seeds, count = scores.shape
    random = np.random.default_rng([1, *dataset.encode()])
    drawn = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=count - 1)
    there = ~np.isnan(scores[:, 0])
    weights = np.vstack([np.ones(seeds), drawn]).T[there]
    total = weights.sum(axis=0)
    return np.divide((weights * scores[there]).sum(axis=0), total, out=np.full(count, np.nan), where=total > 0)
