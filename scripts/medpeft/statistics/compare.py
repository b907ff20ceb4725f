"""Which method is better, and how sure that is.

The interval of a score answers how the score of the networks at hand would move with another sample of test images: it
resamples test images, all those of one cluster (a patient, or duplicates of one picture) together. How scores move
when training is repeated is the standard deviation over seeds, which is given beside it. Whether one method is better
than another has to hold for both, so the interval and p-value of a difference resample test images and seeds. With the
usual 2 to 5 seeds that part is narrow by a factor of about sqrt(1 - 1/seeds), as any bootstrap of so few values is.
Test images and seeds of one dataset are resampled alike for all its backbones, methods and fractions, those of
different datasets independently.
"""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.runs import CELL
from medpeft.networks.encoders import encoder
from medpeft.statistics.collect import distinct
from medpeft.statistics.evaluate import class_probabilities

BASELINE = "full"
RESAMPLES = 10_000
CONFIDENCE = 0.95
WITH_INTERVAL = ["f1_micro", "f1_macro"]
METRICS = [*WITH_INTERVAL, "balanced_accuracy", "auroc", "ece", "brier"]


class Results(NamedTuple):
    """The tables of `compare`."""

    scores: pd.DataFrame
    comparisons: pd.DataFrame
    crossovers: pd.DataFrame
    pairs: pd.DataFrame


def name(run: pd.Series) -> str:
    """Return the path of a row of `runs.csv` below the folder of all runs."""
    return f"{run.dataset}/{run.backbone}/{run.method}/{run.fraction:g}/{run.seed}"


def compare(runs: pd.DataFrame, read: Callable[[str], pd.DataFrame]) -> Results:
    """Return the scores of every cell, and how the methods differ.

    `runs` are rows of `runs.csv`, `read(name)` returns the predictions of the run `name`. A cell is a
    dataset, backbone, method and fraction; its score is the mean over the seeds that did not fail.

    - scores: for each cell and metric n_train, n_runs, n_failed, mean, std (over seeds, ddof 1, empty for a single run)
      and for F1 the bootstrap interval low, high.
    - comparisons: each method against full fine-tuning, for each cell and both F1: difference (over the seeds that
      both have), its paired interval low, high, p_value (two-sided bootstrap), p_adjusted (Holm, over the methods on
      one dataset, backbone and fraction), seeds_won of seeds_compared.
    - crossovers: for each dataset, backbone and method the fraction and f1_micro where full fine-tuning overtakes it
      for good as training images are added (empty where it does not), the interval low, high of that fraction over
      the resamples that have such a point, and their share.
    - pairs: for each kind of encoder and fraction, every method against every other: difference in micro-F1 averaged
      over the blocks (dataset and backbone) that both have, its interval low, high, p_value. The blocks are taken as
      they are: the test images and seeds within them are resampled, they themselves are not.
    """
    runs = distinct(runs)
    draws = {}
    for dataset, of_dataset in runs[runs["status"] == "ok"].groupby("dataset", sort=False):
        bootstrap = _Bootstrap(dataset)
        for cell, of_cell in of_dataset.groupby(CELL, sort=False):
            predictions = {run.seed: read(name(run)) for run in of_cell.itertuples()}
            draws |= {(*cell, metric): drawn for metric, drawn in bootstrap.scores(predictions).items()}
    return Results(_scores(runs, draws), _comparisons(draws), _crossovers(draws), _pairs(draws))


def holm(p_values: pd.Series) -> np.ndarray:
    """Return the p-values adjusted for their number (Holm 1979), in the given order."""
    values = np.asarray(p_values, float)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def crossing(fractions: np.ndarray, scores: np.ndarray, full: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where full fine-tuning overtakes a method for good, drawing straight lines over log fractions.

    `fractions` (n,) rise; `scores`, those of the method, and `full` are float (lines, n). Returned are the
    fraction and the score of each line's last crossing, nan where full fine-tuning was never behind or is not ahead at
    the end; ties count as neither.
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


class _Bootstrap:
    """Resamples of one test set: the same for every run, so that differences between runs are paired."""

    def __init__(self, dataset: str):
        self.dataset = dataset
        self.random = np.random.default_rng([0, *dataset.encode()])
        self.images = None

    def scores(self, predictions: dict[int, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        """Return each F1 with one row a seed of `predictions` and a column a resample; the first is no resample."""
        f1 = {seed: self._f1(table) for seed, table in predictions.items()}
        return {metric: pd.DataFrame({seed: f1[seed][metric] for seed in f1}).T for metric in WITH_INTERVAL}

    def _f1(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        table = table.sort_values("image_id")
        classes, probabilities = class_probabilities(table)
        self._check_same_test_set(table[["image_id", "label", "cluster"]], classes)
        predicted = np.eye(len(classes))[probabilities.argmax(axis=1)]
        correct = self.truth * predicted
        hits, guesses, support = (
            (self.weights @ self._per_cluster(one_hot)).astype(float) for one_hot in (correct, predicted, self.truth)
        )
        size = guesses + support
        each = np.divide(2 * hits, size, out=np.full_like(size, np.nan), where=size > 0)
        return {"f1_micro": hits.sum(axis=1) / support.sum(axis=1), "f1_macro": np.nanmean(each, axis=1)}

    def _per_cluster(self, one_hot: np.ndarray) -> np.ndarray:
        """Return the sums over the images of each cluster, float32 (clusters, classes)."""
        sums = np.zeros((self.clusters.max() + 1, one_hot.shape[1]), np.float32)
        np.add.at(sums, self.clusters, one_hot)
        return sums

    def _check_same_test_set(self, images: pd.DataFrame, classes: list[str]) -> None:
        images = images.reset_index(drop=True)
        if self.images is None:
            self.images = images
            self.clusters = pd.factorize(images["cluster"])[0]
            self.truth = np.eye(len(classes))[pd.Index(classes).get_indexer(images["label"])]
            count = self.clusters.max() + 1
            draws = self.random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
            self.weights = np.vstack([np.ones(count), draws]).astype(np.float32)  # whole numbers, so exact
        elif not images.equals(self.images):
            raise UserError(
                f"the runs on {self.dataset} do not share one test set, so they cannot be compared: "
                "delete those made with an older split and run them again"
            )


def _interval(draws: np.ndarray) -> dict[str, float]:
    """Return the percentile interval of bootstrap `draws`, whose element 0 is the estimate itself; nan is left out."""
    drawn = draws[1:][~np.isnan(draws[1:])]
    if not len(drawn):
        return {"low": np.nan, "high": np.nan}
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"low": low, "high": high}


def _p_value(draws: np.ndarray) -> float:
    """Return the two-sided bootstrap p-value of no difference: twice the share of the rarer sign, never 0."""
    rarer = min((draws[1:] <= 0).sum(), (draws[1:] >= 0).sum())
    return min(1.0, 2 * (1 + rarer) / len(draws))


def _comparisons(draws: dict[tuple, pd.DataFrame]) -> pd.DataFrame:
    """Return the row of every cell and metric whose baseline has seeds in common with it."""
    rows = []
    for (dataset, backbone, method, fraction, metric), scores in draws.items():
        baseline = draws.get((dataset, backbone, BASELINE, fraction, metric))
        if method == BASELINE or baseline is None:
            continue
        gains = (scores - baseline.reindex(scores.index)).dropna()
        if gains.empty:
            continue
        difference = _over_seeds(dataset, gains.to_numpy())
        rows.append(
            dict(zip([*CELL, "metric"], (dataset, backbone, method, fraction, metric), strict=True))
            | {"difference": difference[0], **_interval(difference), "p_value": _p_value(difference)}
            | {"seeds_won": int((gains[0] > 0).sum()), "seeds_compared": len(gains)}
        )
    columns = [*CELL, "metric", "difference", "low", "high", "p_value", "seeds_won", "seeds_compared"]
    table = pd.DataFrame(rows, columns=columns)
    family = table.groupby(["dataset", "backbone", "fraction", "metric"])["p_value"]
    table.insert(columns.index("p_value") + 1, "p_adjusted", family.transform(holm))
    return table


def _over_seeds(dataset: str, scores: np.ndarray) -> np.ndarray:
    """Return the mean over seeds of `scores` (seeds, 1 + resamples): of all seeds first, then of resampled ones.

    A seed without scores is a row of nan; a resample that draws no other seed is nan.
    """
    seeds, count = scores.shape
    random = np.random.default_rng([1, *dataset.encode()])
    drawn = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=count - 1)
    there = ~np.isnan(scores[:, 0])
    weights = np.vstack([np.ones(seeds), drawn]).T[there]
    total = weights.sum(axis=0)
    return np.divide((weights * scores[there]).sum(axis=0), total, out=np.full(count, np.nan), where=total > 0)


def _crossovers(draws: dict[tuple, pd.DataFrame]) -> pd.DataFrame:
    seeds, lines = {}, {}
    for (dataset, backbone, method, fraction, metric), scores in draws.items():
        if metric == "f1_micro":
            seeds.setdefault(dataset, set()).update(scores.index)
            lines.setdefault((dataset, backbone), {}).setdefault(method, {})[fraction] = scores
    rows = []
    for (dataset, backbone), by_method in lines.items():
        means = {
            method: {
                f: _over_seeds(dataset, scores.reindex(sorted(seeds[dataset])).to_numpy()) for f, scores in line.items()
            }
            for method, line in by_method.items()
        }
        full = means.pop(BASELINE, {})
        for method, line in means.items():
            fractions = sorted(line.keys() & full.keys())
            if len(fractions) > 1:
                stacked = [np.stack([scores[f] for f in fractions], axis=1) for scores in (line, full)]
                rows.append((dataset, backbone, method, *_crossover(fractions, *stacked)))
    return pd.DataFrame(rows, columns=[*CELL[:3], "fraction", "f1_micro", "low", "high", "share"])


def _crossover(fractions: list[float], scores: np.ndarray, full: np.ndarray) -> tuple[float, ...]:
    """Return fraction and score of the crossing, the interval of the fraction, the share of resamples with one."""
    fraction, score = crossing(np.array(fractions), scores, full)
    defined = ~np.isnan(scores - full).any(axis=1)
    return (fraction[0], score[0], *_interval(fraction).values(), (~np.isnan(fraction[1:])).sum() / defined[1:].sum())


def _pairs(draws: dict[tuple, pd.DataFrame]) -> pd.DataFrame:
    groups = {}
    for (dataset, backbone, method, fraction, metric), scores in draws.items():
        if metric == "f1_micro":
            blocks = groups.setdefault((encoder(backbone), fraction), {}).setdefault(method, {})
            blocks[dataset, backbone] = scores
    rows = []
    for group, by_method in groups.items():
        for one, other in combinations(by_method, 2):
            difference, blocks = _mean_difference(by_method[one], by_method[other])
            if blocks:
                low, high = _interval(difference).values()
                p_value = _p_value(difference)
                rows.append((*group, one, other, blocks, difference[0], low, high, p_value))
                rows.append((*group, other, one, blocks, 0 - difference[0], -high, -low, p_value))
    columns = ["encoder", "fraction", "method", "other", "blocks", "difference", "low", "high", "p_value"]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:4], ignore_index=True)


def _mean_difference(one: dict[tuple, pd.DataFrame], other: dict[tuple, pd.DataFrame]) -> tuple[np.ndarray, int]:
    """Return the draws of the difference, averaged over the blocks with seeds that both have, and their number."""
    gains = {block: (one[block] - other[block]).dropna() for block in one if block in other}
    each = [_over_seeds(dataset, gain.to_numpy()) for (dataset, _), gain in gains.items() if len(gain)]
    return np.sum(each, axis=0) / max(len(each), 1), len(each)


def _scores(runs: pd.DataFrame, draws: dict[tuple, pd.DataFrame]) -> pd.DataFrame:
    intervals = pd.DataFrame(
        [(*key, *_interval(scores.mean(axis=0).to_numpy()).values()) for key, scores in draws.items()],
        columns=[*CELL, "metric", "low", "high"],
    )
    long = runs.melt([*CELL, "family", "n_train", "status"], METRICS, "metric", "value")
    table = (
        long.groupby([*CELL, "metric"], sort=False)
        .agg(
            family=("family", "first"),
            n_train=("n_train", "max"),
            n_runs=("status", "size"),
            n_failed=("status", lambda status: int((status != "ok").sum())),
            mean=("value", "mean"),
            std=("value", "std"),
        )
        .reset_index()
    )
    key = [*CELL, "metric"]
    return table.merge(intervals.astype(table[key].dtypes), on=key, how="left")  # types, where there are no rows
