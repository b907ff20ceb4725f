"""Which strategy is better, and how sure that is.

An interval here answers one question: how would the scores of the networks at hand move with another sample of test
images? It resamples test images, all those of one cluster (a patient, or duplicates of one picture) together. How
scores move when training is repeated is the standard deviation over seeds, which is given beside it.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from medpeft.errors import UserError
from medpeft.evaluate import class_probabilities

CELL = ["dataset", "backbone", "method", "fraction"]
BASELINE = "full"
RESAMPLES = 2000
CONFIDENCE = 0.95
WITH_INTERVAL = ["f1_micro", "f1_macro"]
METRICS = [*WITH_INTERVAL, "balanced_accuracy", "auroc", "ece"]


def distinct(runs: pd.DataFrame) -> pd.DataFrame:
    """Return `runs.csv` with one row a run, where experiments share runs."""
    return runs.drop_duplicates([*CELL, "seed"])


def name(run: pd.Series) -> str:
    """Return the path of a row of `runs.csv` below the folder of all runs."""
    return f"{run.dataset}/{run.backbone}/{run.method}/{run.fraction:g}/{run.seed}"


def compare(runs: pd.DataFrame, read: Callable[[str], pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores of every cell and every strategy's difference from full fine-tuning.

    `runs` are rows of `runs.csv`, `read(name)` returns the predictions of the run `name`. A cell is a
    dataset, backbone, method and fraction; its score is the mean over the seeds that did not fail.

    The scores have, for each cell and metric: n_train, n_runs, n_failed, mean, std (over seeds, ddof 1, empty for a
    single run) and for F1 the bootstrap interval low, high. The differences have, for each cell but those of full
    fine-tuning and for both F1: difference, its paired interval low, high, p_value (two-sided bootstrap), p_adjusted
    (Holm, over the strategies on one dataset, backbone and fraction), seeds_won of seeds_compared.
    """
    runs = distinct(runs)
    intervals, differences = [], []
    for dataset, of_dataset in runs.groupby("dataset", sort=False):
        bootstrap = _Bootstrap(dataset)
        draws = {
            cell: bootstrap.scores([read(name(run)) for run in of_cell[of_cell["status"] == "ok"].itertuples()])
            for cell, of_cell in of_dataset.groupby(CELL, sort=False)
        }
        intervals += [_row(cell, metric, _interval(draw[metric])) for cell, draw in draws.items() for metric in draw]
        differences += _differences(draws, of_dataset)
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
    of mean micro-F1, drawn straight over the logarithm of the fraction; no row where full fine-tuning never overtakes.
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
    """Return the fraction and score at which the second line last rises above the first."""
    position, scores = np.log(lines.index.to_numpy(float)), lines.to_numpy()
    lead = scores[:, 0] - scores[:, 1]
    falls = np.flatnonzero((lead[:-1] > 0) & (lead[1:] < 0))
    if not len(falls):
        return None
    left = falls[-1]
    share = lead[left] / (lead[left] - lead[left + 1])
    between = position[left] + share * (position[left + 1] - position[left])
    return float(np.exp(between)), float(scores[left, 0] + share * (scores[left + 1, 0] - scores[left, 0]))


class _Bootstrap:
    """Resamples of one test set: the same for every run, so that differences between runs are paired."""

    def __init__(self, dataset: str):
        self.dataset = dataset
        self.images = None

    def scores(self, predictions: list[pd.DataFrame]) -> dict[str, np.ndarray]:
        """Return for each F1 its mean over the runs, float (1 + resamples,); element 0 is of the test set itself."""
        f1 = [self._f1(table) for table in predictions]
        return {metric: np.mean([run[metric] for run in f1], axis=0) for metric in WITH_INTERVAL} if f1 else {}

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


def _row(cell: tuple, metric: str, values: dict) -> dict:
    return dict(zip(CELL, cell, strict=True)) | {"metric": metric} | values


def _differences(draws: dict[tuple, dict[str, np.ndarray]], runs: pd.DataFrame) -> list[dict]:
    by_seed = runs.pivot(index=CELL, columns="seed", values=WITH_INTERVAL)
    rows = []
    for cell, draw in draws.items():
        dataset, backbone, method, fraction = cell
        baseline = (dataset, backbone, BASELINE, fraction)
        if method == BASELINE or not draw or not draws.get(baseline):
            continue
        for metric in draw:
            difference = draw[metric] - draws[baseline][metric]
            gains = (by_seed.loc[cell, metric] - by_seed.loc[baseline, metric]).dropna()
            seeds = {"seeds_won": int((gains > 0).sum()), "seeds_compared": len(gains)}
            values = {"difference": difference[0]} | _interval(difference) | {"p_value": _p_value(difference)} | seeds
            rows.append(_row(cell, metric, values))
    return rows


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
