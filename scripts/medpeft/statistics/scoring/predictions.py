"""The predictions of a run, as its table has them, made ready to be scored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.statistics.scoring.scored import Scored
from medpeft.statistics.scoring.temperature import fitted_temperature, scaled
from medpeft.statistics.scoring.thresholds import chosen_thresholds

PROBABILITY = "probability_"  # what precedes the class name in the column of its predicted probability
BETWEEN = "|"  # stands between the classes of an image that has several
Kind = Literal["multi-class", "binary", "ordinal", "multi-label"]


@dataclass(frozen=True)
class Labels:
    """What kind of labels a run was trained on.

    Attributes:
        kind: One of several classes, one of two, one in an order, or any number of them.
        positive: Of two classes, the one that is looked for.
    """

    kind: Kind = "multi-class"
    positive: str | None = None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Return what the `record.json` of a run says of its labels; without a word they are multi-class."""
        said = record.get("labels", {})
        return cls(said.get("task", "multi-class"), said.get("positive"))


@dataclass(frozen=True)
class Decision:
    """What validation decides before test images are scored.

    Attributes:
        thresholds: The probability from which each class is predicted, float (classes,).
        temperature: By which logits are divided.
    """

    thresholds: np.ndarray
    temperature: float

    @classmethod
    def on(cls, validation: Scored) -> Self:
        """Return the thresholds and the temperature that validation images choose."""
        return cls(chosen_thresholds(validation), fitted_temperature(validation))

    def applied(self, scored: Scored) -> Scored:
        """Return predictions with these thresholds and with probabilities scaled by the temperature."""
        probabilities = scaled(scored.probabilities, self.temperature, scored.exclusive)
        return replace(scored, thresholds=self.thresholds, scaled=probabilities)


def class_probabilities(predictions: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Return the class names and their probabilities, float (images, classes), from the columns of `predictions`."""
    columns = [column for column in predictions.columns if column.startswith(PROBABILITY)]
    return [column.removeprefix(PROBABILITY) for column in columns], predictions[columns].to_numpy(float)


def scored(predictions: pd.DataFrame, labels: Labels, weights: np.ndarray | None = None) -> Scored:
    """Return predictions as metrics take them.

    Args:
        predictions: One row an image: `label` (its class, or all its classes joined by `|`), a probability in [0, 1]
            for every class, in columns `probability_<class>`, and, where images have several labels, `unknown` (the
            classes joined by `|` of which nobody knows whether the image is of them).
        labels: Of what kind they are.
        weights: How often each image counts, float (rows, images); one row of ones where they are left out.

    Raises:
        UserError: A label has no probability, or a probability is not a number.
    """
    classes, probabilities = class_probabilities(predictions)
    given = predictions["label"].tolist()
    known = None
    if labels.kind == "multi-label":
        truth = _memberships(given, classes)
        if "unknown" in predictions:
            known = ~_memberships(predictions["unknown"].fillna("").tolist(), classes)
    else:
        truth = pd.Index(classes).get_indexer(pd.Index(given))
        if (truth < 0).any():
            raise _damaged()
    if not np.isfinite(probabilities).all():
        raise _damaged()
    if weights is None:
        weights = np.ones((1, len(predictions)))
    positive = classes.index(labels.positive) if labels.positive in classes else None
    return Scored(truth, probabilities, weights, known, positive=positive)


def _memberships(joined: list[str], classes: list[str]) -> np.ndarray:
    """Return which images are of which class, bool (images, classes), from the names of their classes."""
    found = np.zeros((len(joined), len(classes)), bool)
    places = {name: place for place, name in enumerate(classes)}
    for row, names in enumerate(joined):
        for name in filter(None, names.split(BETWEEN)):
            if name not in places:
                raise _damaged()
            found[row, places[name]] = True
    return found


def _damaged() -> UserError:
    return UserError(
        "predictions.csv or validation_predictions.csv has a label without a probability column or a probability that "
        "is not a number: delete the run's folder and run it again"
    )
