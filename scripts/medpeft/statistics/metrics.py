"""The registry of metrics: adding one means adding an entry to `METRICS`.

The score of a run, the columns of `runs.csv`, `scores.csv` and `per_class.csv`, the bootstrap intervals, the choice of
the epoch and the tables for readers take their metrics from here, in the order of the entries.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from medpeft.data.labels import LABEL_KINDS, LabelKind
from medpeft.statistics.scoring import by_class, overall
from medpeft.statistics.scoring.overall import ScoreFunction, macro
from medpeft.statistics.scoring.scored import Scored

Task = Literal["classification", "text-to-image"]
# Where a metric is shown besides `runs.csv`, which holds all: `scores` is scores.csv, `comparisons` the tests against
# full fine-tuning, `calibration`, `discrimination` and `downstream` are tables,
# `generation` is table 4, `floor` a column `floor_<metric>` of `runs.csv` with the score of real training images
# against the test images, and its interval.
Place = Literal["scores", "comparisons", "calibration", "discrimination", "downstream", "generation", "floor"]
Averaging = Literal["", "micro", "macro", "weighted"]
EVERY: tuple[LabelKind, ...] = LABEL_KINDS
EXCLUSIVE: tuple[LabelKind, ...] = ("multi-class", "binary", "ordinal")  # each image is of one class


@dataclass(frozen=True)
class Metric:
    """One metric. Its name is its key in `METRICS`, its column in `runs.csv` and its key in `metrics.json`.

    Attributes:
        label: Its name for readers, as it stands within a sentence.
        task: The task whose runs have it.
        function: Its score in each row of weights, float (rows,); NaN where it is undefined. None where another stage
            computes it.
        by_class: Its score of each class against all others, float (rows, classes); None where it has none.
        averaging: How scores of classes are averaged.
        kinds: The kinds of labels that it is defined for.
        needs_validation: Whether it needs the thresholds or the temperature that are chosen on validation.
        interval: Whether it gets a bootstrap interval.
        shown_in: Where it is shown besides `runs.csv`.
        higher_is_better: Its direction.
        bounds: The least and the greatest value that it can have.
    """

    label: str
    task: Task = "classification"
    function: ScoreFunction | None = None
    by_class: ScoreFunction | None = None
    averaging: Averaging = ""
    kinds: tuple[LabelKind, ...] = EVERY
    needs_validation: bool = False
    interval: bool = True
    shown_in: tuple[Place, ...] = ()
    higher_is_better: bool = True
    bounds: tuple[float, float] = (0, 1)

    @property
    def heading(self) -> str:
        """Its name for readers, as it begins a sentence or heads a column."""
        return self.label[0].upper() + self.label[1:]

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.higher_is_better else -1

    @property
    def best(self) -> Literal["max", "min"]:
        """The aggregation of pandas that gives the best of several scores."""
        return "max" if self.higher_is_better else "min"


def classification(kind: LabelKind | None = None) -> dict[str, ScoreFunction]:
    """Return the function of every metric that follows from predictions, by name; of those defined for a kind."""
    return {
        name: metric.function
        for name, metric in METRICS.items()
        if metric.function and (kind is None or kind in metric.kinds)
    }


def with_interval(kind: LabelKind | None = None) -> dict[str, ScoreFunction]:
    """Return the function of every metric of predictions that gets a bootstrap interval, by name."""
    return {name: function for name, function in classification(kind).items() if METRICS[name].interval}


def by_each_class(kind: LabelKind | None = None) -> dict[str, ScoreFunction]:
    """Return the function by class of every metric that has one, by name."""
    return {
        name: metric.by_class
        for name, metric in METRICS.items()
        if metric.by_class and (kind is None or kind in metric.kinds)
    }


def shown_in(place: Place) -> list[str]:
    """Return the names of the metrics that are shown in a place."""
    return [name for name, metric in METRICS.items() if place in metric.shown_in]


def can_choose(kind: LabelKind = "multi-class") -> list[str]:
    """Return the metrics that may be a study's primary one: validation alone must be enough to compute them."""
    return [name for name in classification(kind) if not METRICS[name].needs_validation]


def score(name: str, scored: Scored) -> float:
    """Return the score `name` of the first row of weights; NaN where it is undefined."""
    function = METRICS[name].function
    if function is None:
        raise ValueError(f"{name} does not follow from predictions")
    return float(function(scored)[0])


METRICS: dict[str, Metric] = {
    "accuracy": Metric("accuracy", function=overall.accuracy, kinds=EXCLUSIVE),
    "f1_micro": Metric(
        "micro-F1",
        function=overall.f1_micro,
        averaging="micro",
        shown_in=("scores", "comparisons", "calibration", "downstream"),
    ),
    "f1_macro": Metric(
        "macro-F1",
        function=overall.f1_macro,
        by_class=by_class.f1,
        averaging="macro",
        shown_in=("scores", "comparisons", "downstream"),
    ),
    "f1_weighted": Metric("weighted F1", function=overall.f1_weighted, averaging="weighted"),
    "balanced_accuracy": Metric(
        "balanced accuracy",
        function=overall.balanced_accuracy,
        averaging="macro",
        kinds=EXCLUSIVE,
        shown_in=("scores", "discrimination"),
    ),
    "mcc": Metric(
        "MCC",
        function=overall.matthews_correlation,
        kinds=EXCLUSIVE,
        shown_in=("scores", "discrimination"),
        bounds=(-1, 1),
    ),
    "kappa": Metric(
        "quadratic kappa",
        function=overall.quadratic_kappa,
        kinds=("ordinal",),
        shown_in=("scores", "discrimination"),
        bounds=(-1, 1),
    ),
    "mae": Metric(
        "mean absolute error",
        function=overall.mean_absolute_error,
        kinds=("ordinal",),
        shown_in=("scores", "discrimination"),
        higher_is_better=False,
        bounds=(0, np.inf),
    ),
    "auroc": Metric(
        "AUROC",
        function=macro(by_class.auroc),
        by_class=by_class.auroc,
        averaging="macro",
        shown_in=("scores", "calibration", "discrimination", "downstream"),
    ),
    "average_precision": Metric(
        "average precision",
        function=macro(by_class.average_precision),
        by_class=by_class.average_precision,
        averaging="macro",
        shown_in=("scores", "discrimination"),
    ),
    "sensitivity_at_specificity": Metric(
        "sensitivity at 90 % specificity",
        function=macro(by_class.sensitivity_at_specificity),
        by_class=by_class.sensitivity_at_specificity,
        averaging="macro",
        shown_in=("scores",),
    ),
    # The next four are at the thresholds that validation chose.
    "sensitivity": Metric(
        "sensitivity",
        function=macro(by_class.sensitivity),
        by_class=by_class.sensitivity,
        averaging="macro",
        needs_validation=True,
        shown_in=("scores",),
    ),
    "specificity": Metric(
        "specificity",
        function=macro(by_class.specificity),
        by_class=by_class.specificity,
        averaging="macro",
        needs_validation=True,
        shown_in=("scores",),
    ),
    "ppv": Metric(
        "PPV",
        function=macro(by_class.positive_predictive_value),
        by_class=by_class.positive_predictive_value,
        averaging="macro",
        needs_validation=True,
        shown_in=("scores",),
    ),
    "npv": Metric(
        "NPV",
        function=macro(by_class.negative_predictive_value),
        by_class=by_class.negative_predictive_value,
        averaging="macro",
        needs_validation=True,
        shown_in=("scores",),
    ),
    "ece": Metric(
        "ECE",
        function=overall.expected_calibration_error,
        shown_in=("scores", "calibration"),
        higher_is_better=False,
    ),
    "ece_scaled": Metric(
        "ECE after scaling",
        function=overall.scaled_calibration_error,
        needs_validation=True,
        shown_in=("scores", "calibration"),
        higher_is_better=False,
    ),
    "brier": Metric(
        "Brier score",
        function=overall.brier_score,
        shown_in=("scores", "calibration"),
        higher_is_better=False,
        bounds=(0, 2),
    ),
    "brier_scaled": Metric(
        "Brier score after scaling",
        function=overall.scaled_brier_score,
        needs_validation=True,
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
