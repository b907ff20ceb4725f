"""The registry of metrics: adding one means adding an entry to `METRICS`.

The score of a run, the columns of `runs.csv` and `scores.csv`, the bootstrap intervals and the tables for readers take
their metrics from here, in the order of the entries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from sklearn import metrics as sklearn_metrics

Task = Literal["classification", "text-to-image"]
# Where a metric is shown besides `runs.csv`, which holds all: `scores` is scores.csv, `calibration` the table of this
# name, `downstream` is downstream.csv and its table, `generation` is table 4, `floor` a column `floor_<metric>` of
# `runs.csv` with the score of real training images against the test images, and its interval.
Place = Literal["scores", "calibration", "downstream", "generation", "floor"]
# From the true classes, int (images,), and the probabilities of all classes, float (images, classes).
ScoreFunction = Callable[[np.ndarray, np.ndarray], float]
CALIBRATION_BINS = 15
PRIMARY = "f1_micro"  # the metric by which methods are ranked, contrasted and recommended


class Tallies(NamedTuple):
    """What resampled test images hold of each class: float arrays (resamples, classes) of whole numbers.

    Attributes:
        hits: Images of the class that are predicted to be of it.
        guesses: Images that are predicted to be of the class.
        support: Images of the class.
    """

    hits: np.ndarray
    guesses: np.ndarray
    support: np.ndarray


ResampledFunction = Callable[[Tallies], np.ndarray]


@dataclass(frozen=True)
class Metric:
    """One metric. Its name is its key in `METRICS`, its column in `runs.csv` and its key in `metrics.json`.

    Attributes:
        label: Its name for readers, as it stands within a sentence.
        task: The task whose runs have it.
        function: How it follows from predictions; NaN where it is undefined. None where another stage computes it.
        resampled: How it follows from `Tallies`, float (resamples,). With it the metric gets a bootstrap interval.
        shown_in: Where it is shown besides `runs.csv`.
        higher_is_better: Its direction.
        bounds: The least and the greatest value that it can have.
    """

    label: str
    task: Task = "classification"
    function: ScoreFunction | None = None
    resampled: ResampledFunction | None = None
    shown_in: tuple[Place, ...] = ()
    higher_is_better: bool = True
    bounds: tuple[float, float] = (0, 1)

    @property
    def heading(self) -> str:
        """Its name for readers, as it begins a sentence or heads a column."""
        return self.label[0].upper() + self.label[1:]


def classification() -> dict[str, ScoreFunction]:
    """Return the function of every metric that follows from predictions, by name."""
    return {name: metric.function for name, metric in METRICS.items() if metric.function}


def with_interval() -> dict[str, ResampledFunction]:
    """Return the function over resamples of every metric that gets a bootstrap interval, by name."""
    return {name: metric.resampled for name, metric in METRICS.items() if metric.resampled}


def shown_in(place: Place) -> list[str]:
    """Return the names of the metrics that are shown in a place."""
    return [name for name, metric in METRICS.items() if place in metric.shown_in]


def expected_calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Return the gap between confidence and accuracy, averaged over images.

    Confidence is the probability of the predicted class; the bins are of equal width and closed on the right.

    Args:
        truth: True classes, int (images,).
        probabilities: Probabilities of all classes, float (images, classes).
        bins: Number of bins between 0 and 1.

    Source: Guo et al. 2017, On calibration of modern neural networks, equation 3.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def brier_score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the squared distance of the probabilities from the truth, summed over classes, averaged over images.

    Source: Brier 1950, Verification of forecasts expressed in terms of probability, equation 2.
    """
    # scikit-learn computes the same, but warns that probabilities read back from a file sum to one only nearly.
    one_hot = np.eye(probabilities.shape[1])[truth]
    return float(np.square(probabilities - one_hot).sum(axis=1).mean())


def _accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    return float((probabilities.argmax(axis=1) == truth).mean())


def _f1(average: str) -> ScoreFunction:
    def f1(truth: np.ndarray, probabilities: np.ndarray) -> float:
        return sklearn_metrics.f1_score(truth, probabilities.argmax(axis=1), average=average, zero_division=0)

    return f1


def _resampled_micro_f1(tallies: Tallies) -> np.ndarray:
    return tallies.hits.sum(axis=1) / tallies.support.sum(axis=1)


def _resampled_macro_f1(tallies: Tallies) -> np.ndarray:
    size = tallies.guesses + tallies.support
    each = np.divide(2 * tallies.hits, size, out=np.full_like(size, np.nan), where=size > 0)
    return np.nanmean(each, axis=1)


def _balanced_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean recall of the classes that some test image belongs to."""
    return sklearn_metrics.recall_score(
        truth, probabilities.argmax(axis=1), labels=np.unique(truth), average="macro", zero_division=0
    )


def _one_versus_rest(score: ScoreFunction) -> ScoreFunction:
    """Return the mean of a binary `score` over the classes that some, but not all, test images belong to."""

    def mean(truth: np.ndarray, probabilities: np.ndarray) -> float:
        each = [
            score(truth == label, probabilities[:, label])
            for label in range(probabilities.shape[1])
            if 0 < np.count_nonzero(truth == label) < len(truth)
        ]
        return float(np.mean(each)) if each else np.nan

    return mean


METRICS: dict[str, Metric] = {
    "accuracy": Metric("accuracy", function=_accuracy),
    "f1_micro": Metric(
        "micro-F1",
        function=_f1("micro"),
        resampled=_resampled_micro_f1,
        shown_in=("scores", "calibration", "downstream"),
    ),
    "f1_macro": Metric(
        "macro-F1", function=_f1("macro"), resampled=_resampled_macro_f1, shown_in=("scores", "downstream")
    ),
    "f1_weighted": Metric("weighted F1", function=_f1("weighted")),
    "balanced_accuracy": Metric("balanced accuracy", function=_balanced_accuracy, shown_in=("scores",)),
    "auroc": Metric(
        "AUROC",
        function=_one_versus_rest(sklearn_metrics.roc_auc_score),
        shown_in=("scores", "calibration", "downstream"),
    ),
    "average_precision": Metric(
        "average precision", function=_one_versus_rest(sklearn_metrics.average_precision_score)
    ),
    "ece": Metric(
        "ECE", function=expected_calibration_error, shown_in=("scores", "calibration"), higher_is_better=False
    ),
    "brier": Metric(
        "Brier score",
        function=brier_score,
        shown_in=("scores", "calibration"),
        higher_is_better=False,
        bounds=(0, 2),
    ),
    # The stage `fidelity` computes the next four, the stage `copies` the last.
    "fid": Metric(
        "FID",
        task="text-to-image",
        shown_in=("generation", "floor"),
        higher_is_better=False,
        bounds=(0, np.inf),
    ),
    "kid": Metric(
        "KID",  # its estimate is unbiased, so it may be negative
        task="text-to-image",
        shown_in=("generation", "floor"),
        higher_is_better=False,
        bounds=(-np.inf, np.inf),
    ),
    "precision": Metric("precision", task="text-to-image", shown_in=("generation",)),
    "recall": Metric("recall", task="text-to-image", shown_in=("generation",)),
    "memorised": Metric("memorised share", task="text-to-image", higher_is_better=False),
}
