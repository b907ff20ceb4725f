"""Scores of one run, from its predictions for the test images."""

from typing import Any

import numpy as np
import pandas as pd

from medpeft.statistics.metrics import METRICS, by_each_class, classification
from medpeft.statistics.scoring.predictions import Decision, Labels, class_probabilities, scored


def evaluate(predictions: pd.DataFrame, record: dict, validation: pd.DataFrame | None = None) -> dict:
    """Return the scores of one run by name, with its `status`, `n_train` and `n_test`.

    The class with the highest probability is the predicted one; where an image may have several labels, each class is
    predicted from its threshold on. A class that is neither among the labels nor among the predictions is left out of
    the averages over classes. The ranges and directions of the scores are those of
    `medpeft.statistics.metrics.METRICS`.

    Args:
        predictions: Of the test images, as `medpeft.statistics.scoring.predictions.scored` takes them.
        record: The run's `record.json`.
        validation: Likewise of the validation images, on which thresholds and temperature are chosen.

    Returns:
        Besides the scores, `by_class` (those that each class has, by metric and class), `thresholds` (by class) and
        `temperature`. A failed run has None for every score. So has a score that is undefined, such as the area under
        the curve of a test set with a single class, one that needs validation where there is none, and one that is not
        defined for this kind of labels.

    Raises:
        UserError: A label has no probability, or a probability is not a number.
    """
    names = classification()
    counts = {"status": record["status"], "n_train": record["n_train"], "n_test": len(predictions)}
    nothing: dict[str, Any] = {"by_class": {}, "thresholds": None, "temperature": None}
    if record["status"] != "ok":
        return counts | dict.fromkeys(names) | nothing
    labels = Labels.of(record)
    test, chosen = scored(predictions, labels), nothing
    classes = class_probabilities(predictions)[0]
    if validation is not None:
        decision = Decision.on(scored(validation, labels))
        test = decision.applied(test)
        thresholds = dict(zip(classes, map(float, decision.thresholds), strict=True))
        chosen = {"thresholds": thresholds, "temperature": decision.temperature}

    def possible(name: str) -> bool:
        return validation is not None or not METRICS[name].needs_validation

    found = {name: function(test)[0] for name, function in classification(labels.kind).items() if possible(name)}
    each = {name: function(test)[0] for name, function in by_each_class(labels.kind).items() if possible(name)}
    by_class = {
        name: {classes[place]: _finite(scores[place]) for place in test.averaged} for name, scores in each.items()
    }
    return counts | {name: _finite(found.get(name, np.nan)) for name in names} | chosen | {"by_class": by_class}


def _finite(score: float) -> float | None:
    return float(score) if np.isfinite(score) else None
