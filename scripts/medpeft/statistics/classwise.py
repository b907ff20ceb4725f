"""The scores of every class with all training images: their intervals, confusions, curves and reliability."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from medpeft.base.runs import CELL, Run
from medpeft.data.labels import Labels
from medpeft.statistics.bootstrap import cluster_weights
from medpeft.statistics.collect import distinct, runs_in
from medpeft.statistics.columns import CONFUSION_COLUMNS, CURVE_COLUMNS, RELIABILITY_COLUMNS, SCORE_COLUMNS
from medpeft.statistics.inference import Estimate
from medpeft.statistics.metrics import METRICS, by_each_class, with_interval
from medpeft.statistics.scoring.curves import confusion, curves, reliability
from medpeft.statistics.scoring.predictions import Decision, class_probabilities, scored
from medpeft.statistics.scoring.scored import Scored

RESAMPLES = 1_000
AT_ONCE = 2**22  # weights of images and classes, so that those of a large test set fit in memory
Read = Callable[[Run], pd.DataFrame]


class Details(NamedTuple):
    """The tables of `classwise`, one cell after the other.

    Attributes:
        scores: Of each class and metric, and of all classes together where class is empty: n_runs, mean and std (over
            seeds), and the 95 % interval low, high.
        confusions: How many test images of the class label are predicted to be of the class predicted, averaged over
            seeds, and their share of those of the label. Images with several labels have none.
        curves: Points of the curves of each class, averaged over seeds: `roc` has 1 - specificity as x and
            sensitivity as y, `precision_recall` recall and precision. Their lines of chance end in `_chance`.
        reliability: For each bin of confidence, before and after temperature scaling: mean confidence, accuracy and the
            share of predictions, those of all seeds together.
    """

    scores: pd.DataFrame
    confusions: pd.DataFrame
    curves: pd.DataFrame
    reliability: pd.DataFrame


def classwise(runs: pd.DataFrame, read: Read, read_validation: Read, labels: Mapping[Run, Labels]) -> Details:
    """Return the details of every cell with the largest fraction of the training images.

    Args:
        runs: Rows of `runs.csv`.
        read: Returns the predictions of a run for the test images.
        read_validation: Likewise for the validation images, which choose thresholds and temperature.
        labels: The kind of labels of each run.
    """
    runs = distinct(runs)
    runs = runs[(runs["status"] == "ok") & (runs["fraction"] == runs["fraction"].max())]
    tables: list[list[pd.DataFrame]] = [[], [], [], []]
    for _, of_cell in runs.groupby(CELL, sort=False):
        seeds = runs_in(of_cell)
        kind = labels[seeds[0]]
        tests = [read(seed).sort_values("image_id") for seed in seeds]
        classes = class_probabilities(tests[0])[0]
        each = [
            Decision.on(scored(read_validation(seed), kind)).applied(scored(test, kind))
            for seed, test in zip(seeds, tests, strict=True)
        ]
        found = (
            _scores(seeds[0].dataset, tests[0]["cluster"], each, classes, kind),
            confusion(each, classes),
            curves(each, classes),
            reliability(each),
        )
        for place, table in zip(tables, found, strict=True):
            place.append(table.assign(**seeds[0].cell))
    columns = (SCORE_COLUMNS, CONFUSION_COLUMNS, CURVE_COLUMNS, RELIABILITY_COLUMNS)
    return Details(*map(_joined, tables, columns))


def _joined(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _scores(dataset: str, clusters: pd.Series, each: list[Scored], classes: list[str], labels: Labels) -> pd.DataFrame:
    """Return the rows of a cell from what each of its seeds predicts."""
    weights = resampled(dataset, clusters)
    draws = [_drawn(seed, weights, labels) for seed in each]
    rows = []
    for metric in draws[0]:
        stacked = np.stack([found[metric] for found in draws])  # (seeds, 1 + resamples, 1 or classes)
        names = [(0, "")] if stacked.shape[2] == 1 else [(place, classes[place]) for place in each[0].averaged]
        name = metric.removeprefix(BY_CLASS)
        bounds, images = METRICS[name].bounds, clusters.nunique()
        rows += [(label, name, len(each), *_summary(stacked[:, :, place], images, bounds)) for place, label in names]
    return pd.DataFrame(rows, columns=SCORE_COLUMNS[len(CELL) :])


BY_CLASS = "class:"  # before the name of a metric whose scores are those of each class


def _drawn(scored: Scored, weights: np.ndarray, labels: Labels) -> dict[str, np.ndarray]:
    """Return all scores of a run in every row of weights, float (rows, 1 or classes)."""
    functions = {name: _one_column(function) for name, function in with_interval(labels.task).items()}
    functions |= {f"{BY_CLASS}{name}": function for name, function in by_each_class(labels.task).items()}
    pieces = np.array_split(weights, 1 + weights.size * scored.probabilities.shape[1] // AT_ONCE)
    parts = [scored.weighted(piece) for piece in pieces]
    return {name: np.concatenate([function(part) for part in parts]) for name, function in functions.items()}


def _one_column(function: Callable[[Scored], np.ndarray]) -> Callable[[Scored], np.ndarray]:
    return lambda scored: function(scored)[:, None]


def resampled(dataset: str, clusters: pd.Series) -> np.ndarray:
    """Return how often each image counts, float32 (1 + resamples, images), those of a cluster together."""
    places = pd.factorize(clusters)[0]
    return cluster_weights(dataset, places.max() + 1, RESAMPLES)[:, places]


def _summary(draws: np.ndarray, images: int, bounds: tuple[float, float]) -> tuple[float, float, float, float]:
    """Return mean, deviation and interval of scores, float (seeds, 1 + resamples), over those that are known."""
    known = draws[~np.isnan(draws[:, 0])]
    if not len(known):
        return (np.nan,) * 4
    estimate = Estimate.of_draws(known, images)
    return (estimate.value, float(pd.Series(known[:, 0]).std()), *estimate.interval(bounds))
