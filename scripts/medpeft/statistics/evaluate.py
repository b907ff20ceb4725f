"""Scores of one run, from its predictions for the test images."""

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.statistics.metrics import classification

PROBABILITY = "probability_"  # what precedes the class name in the column of its predicted probability


def evaluate(predictions: pd.DataFrame, record: dict) -> dict:
    """Return the scores of one run by name, with its `status`, `n_train` and `n_test`.

    The class with the highest probability is the predicted one. A class that is neither among the labels nor among the
    predictions is left out of the averages over classes. The ranges and directions of the scores are those of
    `medpeft.statistics.metrics.METRICS`.

    Args:
        predictions: One row a test image: label (class name) and a probability in [0, 1] for every class, in columns
            `probability_<class>`.
        record: The run's `record.json`.

    Returns:
        A failed run has None for every score. So has a score that is undefined, such as the area under the curve of a
        test set with a single class.

    Raises:
        UserError: A label has no probability, or a probability is not a number.
    """
    functions = classification()
    counts = {"status": record["status"], "n_train": record["n_train"], "n_test": len(predictions)}
    if record["status"] != "ok":
        return counts | dict.fromkeys(functions)
    classes, probabilities = class_probabilities(predictions)
    truth = pd.Index(classes).get_indexer(pd.Index(predictions["label"]))
    if (truth < 0).any() or not np.isfinite(probabilities).all():
        raise UserError(
            "predictions.csv has a label without a probability column or a probability that is not a number: "
            "delete the run's folder and run it again"
        )
    scores = {name: float(function(truth, probabilities)) for name, function in functions.items()}
    return counts | {name: score if np.isfinite(score) else None for name, score in scores.items()}


def class_probabilities(predictions: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Return the class names and their probabilities, float (images, classes), from the columns of `predictions`."""
    columns = [column for column in predictions.columns if column.startswith(PROBABILITY)]
    return [column.removeprefix(PROBABILITY) for column in columns], predictions[columns].to_numpy(float)
