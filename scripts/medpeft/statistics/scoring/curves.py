"""What stands behind scores: confusions, curves of each class, and how often predictions of a confidence are right."""

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from medpeft.statistics.scoring.overall import CALIBRATION_BINS, calibration_bins, confidences
from medpeft.statistics.scoring.scored import Scored, ratio

POINTS = 51  # of a curve


def confusion(seeds: list[Scored], classes: list[str]) -> pd.DataFrame:
    """Return how many images of each class (label) are predicted to be of each (predicted), and their share of it.

    Both are averaged over what the `seeds` predict. Images with several labels have no confusions.
    """
    columns = ["label", "predicted", "images", "share"]
    if not seeds[0].exclusive:
        return pd.DataFrame(columns=columns)
    numbers = np.arange(len(classes))
    images = np.mean([confusion_matrix(seed.truth, seed.predicted, labels=numbers) for seed in seeds], axis=0)
    share = ratio(images, np.broadcast_to(images.sum(axis=1, keepdims=True), images.shape))
    rows = [
        (label, guess, images[row, column], share[row, column])
        for row, label in enumerate(classes)
        for column, guess in enumerate(classes)
    ]
    return pd.DataFrame(rows, columns=columns)


def curves(seeds: list[Scored], classes: list[str]) -> pd.DataFrame:
    """Return points of the ROC and precision-recall curves of each class against all others, averaged over `seeds`.

    Curves are averaged at the same x. The ends of the line of chance are points of `<curve>_chance`. A class that all
    test images are of, or none, has no curves.

    Source: Fawcett 2006, An introduction to ROC analysis, section 8.1.
    """
    grid, rows = np.linspace(0, 1, POINTS), []
    for label in seeds[0].averaged:
        known = seeds[0].counted[:, label]
        truth = seeds[0].labels[known, label]
        if truth.any() and not truth.all():
            scores = [seed.probabilities[known, label] for seed in seeds]
            for name, curve in (("roc", _roc), ("precision_recall", _precision_recall)):
                mean = np.mean([curve(truth, of_seed, grid) for of_seed in scores], axis=0)
                rows += [(name, classes[label], x, y) for x, y in zip(grid, mean, strict=True)]
            share = truth.mean()
            for name, ends in (("roc_chance", (0.0, 1.0)), ("precision_recall_chance", (share, share))):
                rows += [(name, classes[label], float(x), y) for x, y in enumerate(ends)]
    return pd.DataFrame(rows, columns=["curve", "class", "x", "y"])


def _roc(truth: np.ndarray, scores: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the sensitivity at each value of 1 - specificity on the `grid`."""
    false, true, _ = roc_curve(truth, scores)
    last = np.append(np.diff(false) > 0, True)  # of several at one x, the highest
    return np.interp(grid, false[last], true[last])


def _precision_recall(truth: np.ndarray, scores: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the precision at the highest threshold that reaches each recall on the `grid`."""
    precision, recall, _ = precision_recall_curve(truth, scores)
    precision, recall = precision[-2::-1], recall[-2::-1]  # rising; the last point is by convention alone
    return precision[np.searchsorted(recall, grid - 1e-12)]


def reliability(seeds: list[Scored]) -> pd.DataFrame:
    """Return confidence, accuracy and share of the predictions in each bin that has any, before and after scaling."""
    rows = []
    for name in ("predicted", "scaled"):
        found = [
            confidences(seed, seed.probabilities if name == "predicted" or seed.scaled is None else seed.scaled)[1:]
            for seed in seeds
        ]
        confidence, correct = (np.concatenate(parts) for parts in zip(*found, strict=True))
        place = calibration_bins(confidence)
        counts, sums, right = (
            np.bincount(place, weights=values, minlength=CALIBRATION_BINS)
            for values in (np.ones(len(place)), confidence, correct)
        )
        rows += [
            (name, number, sums[number] / count, right[number] / count, count / len(place))
            for number, count in enumerate(counts)
            if count
        ]
    return pd.DataFrame(rows, columns=["probabilities", "bin", "confidence", "accuracy", "share"])
