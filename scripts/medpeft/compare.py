"""Which strategy is better, and how sure that is.

The interval of a score answers how the score of the networks at hand would move with another sample of test images: it
resamples test images, all those of one cluster (a patient, or duplicates of one picture) together. How scores move
when training is repeated is the standard deviation over seeds, which is given beside it. Whether one strategy is better
than another has to hold for both, so the interval and p-value of a difference resample test images and seeds. With the
usual 2 to 5 seeds that part is narrow by a factor of about sqrt(1 - 1/seeds), as any bootstrap of so few values is.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from medpeft.collect import CELL, distinct
from medpeft.errors import UserError
from medpeft.evaluate import class_probabilities

BASELINE = "full"
RESAMPLES = 10_000
CONFIDENCE = 0.95
WITH_INTERVAL = ["f1_micro", "f1_macro"]
METRICS = [*WITH_INTERVAL, "balanced_accuracy", "auroc", "ece"]


def name(run: pd.Series) -> str:
    """Return the path of a row of `runs.csv` below the folder of all runs."""
    return f"{run.dataset}/{run.backbone}/{run.method}/{run.fraction:g}/{run.seed}"


def compare(runs: pd.DataFrame, read: Callable[[str], pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores of every cell and every strategy's difference from full fine-tuning.

    `runs` are rows of `runs.csv`, `read(name)` returns the predictions of the run `name`. A cell is a
    dataset, backbone, method and fraction; its score is the mean over the seeds that did not fail.

    The scores have, for each cell and metric: n_train, n_runs, n_failed, mean, std (over seeds, ddof 1, empty for a
    single run) and for F1 the bootstrap interval low, high. The differences have, for each cell but those of full
    fine-tuning and for both F1: difference (over the seeds that both have), its paired interval low, high, p_value
    (two-sided bootstrap), p_adjusted (Holm, over the strategies on one dataset, backbone and fraction), seeds_won of
    seeds_compared.
    """
    runs = distinct(runs)
    intervals, differences = [], []
    for dataset, of_dataset in runs.groupby("dataset", sort=False):
        bootstrap = _Bootstrap(dataset)
        draws = {
            (*cell, metric): scores
            for cell, of_cell in of_dataset[of_dataset["status"] == "ok"].groupby(CELL, sort=False)
            for metric, scores in bootstrap.scores({run.seed: read(name(run)) for run in of_cell.itertuples()}).items()
        }
        intervals += [_row(key, _interval(scores.mean(axis=0).to_numpy())) for key, scores in draws.items()]
        differences += _differences(draws)
    scores = _scores(runs).merge(
        pd.DataFrame(intervals, columns=[*CELL, "metric", "low", "high"]), on=[*CELL, "metric"], how="left"
    )
    columns = [*CELL, "metric", "difference", "low", "high", "p_value", "seeds_won", "seeds_compared"]
    comparisons = pd.DataFrame(differences, columns=columns)
    family = comparisons.groupby(["dataset", "backbone", "fraction", "metric"])["p_value"]
    comparisons.insert(columns.index("p_value") + 1, "p_adjusted", family.transform(holm))
    return scores, comparisons


def holm(p_values: pd.Series) -> np.ndarray:
    """Return the p-values adjusted for their number (Holm 1979), in the given order."""
    values = np.asarray(p_values, float)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def crossovers(scores: pd.DataFrame) -> pd.DataFrame:
    """Return where full fine-tuning overtakes each strategy as training images are added.

    One row a dataset, backbone and method with the columns fraction and f1_micro of the last crossing of the two lines
    of mean micro-F1, drawn straight over the logarithm of the fraction; no row where full fine-tuning was never behind
    or is not ahead at the end.
    """
    f1 = scores[scores["metric"] == "f1_micro"]
    rows = []
    for (dataset, backbone), group in f1.groupby(["dataset", "backbone"], sort=False):
        lines = group.pivot(index="fraction", columns="method", values="mean").sort_index()
        for method in lines.columns.drop(BASELINE, errors="ignore") if BASELINE in lines else ():
            crossing = _last_crossing(lines[[method, BASELINE]].dropna())
            if crossing:
                rows.append((dataset, backbone, method, *crossing))
    return pd.DataFrame(rows, columns=["dataset", "backbone", "method", "fraction", "f1_micro"])


def _last_crossing(lines: pd.DataFrame) -> tuple[float, float] | None:
    """Return the fraction and score at which the second line rises above the first for good; ties count as neither."""
    position, scores = np.log(lines.index.to_numpy(float)), lines.to_numpy()
    lead = scores[:, 0] - scores[:, 1]
    ahead = np.flatnonzero(lead > 0)
    if not len(ahead) or lead[-1] >= 0:
        return None
    left = ahead[-1] + np.argmax(lead[ahead[-1] + 1 :] < 0)
    share = lead[left] / (lead[left] - lead[left + 1])
    between = position[left] + share * (position[left + 1] - position[left])
    return float(np.exp(between)), float(scores[left, 0] + share * (scores[left + 1, 0] - scores[left, 0]))


class _Bootstrap:
    """Resamples of one test set: the same for every run, so that differences between runs are paired."""

    def __init__(self, dataset: str):
        self.dataset = dataset
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
            draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
            self.weights = np.vstack([np.ones(count), draws]).astype(np.float32)  # whole numbers, so exact
        elif not images.equals(self.images):
            raise UserError(
                f"the runs on {self.dataset} do not share one test set, so they cannot be compared: "
                "delete those made with an older split and run them again"
            )


def _interval(draws: np.ndarray) -> dict[str, float]:
    """Return the percentile interval of bootstrap `draws`, whose element 0 is the estimate itself."""
    low, high = np.quantile(draws[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"low": low, "high": high}


def _p_value(draws: np.ndarray) -> float:
    """Return the two-sided bootstrap p-value of no difference: twice the share of the rarer sign, never 0."""
    rarer = min((draws[1:] <= 0).sum(), (draws[1:] >= 0).sum())
    return min(1.0, 2 * (1 + rarer) / len(draws))


def _row(key: tuple, values: dict) -> dict:
    return dict(zip([*CELL, "metric"], key, strict=True)) | values


def _differences(draws: dict[tuple, pd.DataFrame]) -> list[dict]:
    """Return the row of every cell and metric whose baseline has seeds in common with it."""
    rows = []
    for (dataset, backbone, method, fraction, metric), scores in draws.items():
        baseline = draws.get((dataset, backbone, BASELINE, fraction, metric))
        if method == BASELINE or baseline is None:
            continue
        gains = (scores - baseline.reindex(scores.index)).dropna()
        if gains.empty:
            continue
        difference = _over_seeds(gains.to_numpy())
        values = {"difference": difference[0]} | _interval(difference) | {"p_value": _p_value(difference)}
        seeds = {"seeds_won": int((gains[0] > 0).sum()), "seeds_compared": len(gains)}
        rows.append(_row((dataset, backbone, method, fraction, metric), values | seeds))
    return rows


def _over_seeds(gains: np.ndarray) -> np.ndarray:
    """Return the mean over seeds of `gains` (seeds, 1 + resamples): of all seeds first, then of resampled ones."""
    seeds, count = gains.shape
    draws = np.random.default_rng(1).multinomial(seeds, np.full(seeds, 1 / seeds), size=count - 1)
    weights = np.vstack([np.ones(seeds), draws]) / seeds
    return (weights.T * gains).sum(axis=0)


def _scores(runs: pd.DataFrame) -> pd.DataFrame:
    long = runs.melt([*CELL, "family", "n_train", "status"], METRICS, "metric", "value")
    return (
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
