"""Scores of one run, from its predictions for the test images."""

import numpy as np
import pandas as pd
from sklearn import metrics as sklearn_metrics

from medpeft.base.errors import UserError

PROBABILITY = "probability_"  # what precedes the class name in the column of its predicted probability
CALIBRATION_BINS = 15


def evaluate(predictions: pd.DataFrame, record: dict) -> dict:
    """Return the scores of one run by name, with its `status`, `n_train` and `n_test`.

    `predictions` has one row a test image: label (class name) and a probability in [0, 1] for every class, in columns
    `probability_<class>`. The class with the highest probability is the predicted one. Scores lie in [0, 1], but for
    `brier` in [0, 2]; higher is better but for `ece` and `brier`. A class that is neither among the labels nor among
    the predictions is left out of the averages over classes. A failed run has None for every score, as has a score
    that is undefined, such as the area under the curve of a test set with a single class.
    Raises `UserError` where a label has no probability or a probability is not a number.
    """
    counts = {"status": record["status"], "n_train": record["n_train"], "n_test": len(predictions)}
    if record["status"] != "ok":
        return counts | dict.fromkeys(SCORES)
    classes, probabilities = class_probabilities(predictions)
    truth = pd.Index(classes).get_indexer(predictions["label"])
    if (truth < 0).any() or not np.isfinite(probabilities).all():
        raise UserError(
            "predictions.csv has a label without a probability column or a probability that is not a number: "
            "delete the run's folder and run it again"
        )
    scores = {name: float(score(truth, probabilities)) for name, score in SCORES.items()}
    return counts | {name: score if np.isfinite(score) else None for name, score in scores.items()}


def class_probabilities(predictions: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Return the class names and their probabilities, float (images, classes), from the columns of `predictions`."""
    columns = [column for column in predictions.columns if column.startswith(PROBABILITY)]
    return [column.removeprefix(PROBABILITY) for column in columns], predictions[columns].to_numpy(float)


def expected_calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Return the gap between confidence and accuracy, averaged over images (Guo et al. 2017, equation 3).

    Confidence is the probability of the predicted class; the `bins` are of equal width and closed on the right.
    `truth` is int (images,), `probabilities` float (images, classes).
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return np.abs(gaps).sum() / len(truth)


def brier_score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the squared distance of the probabilities from the truth, summed over classes, averaged over images."""
    return np.square(probabilities - _one_hot(truth, probabilities.shape[1])).sum(axis=1).mean()


def _one_hot(truth: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[truth]


def _f1(average: str):
    return lambda truth, probabilities: sklearn_metrics.f1_score(
        truth, probabilities.argmax(axis=1), average=average, zero_division=0
    )


def _one_versus_rest(score):
    """Return the mean of a binary `score` over the classes that some, but not all, test images belong to."""

    def mean(truth, probabilities):
        each = [
            score(truth == label, probabilities[:, label])
            for label in range(probabilities.shape[1])
            if 0 < np.count_nonzero(truth == label) < len(truth)
        ]
        return np.mean(each) if each else np.nan

    return mean


def _balanced_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    return sklearn_metrics.recall_score(
        truth, probabilities.argmax(axis=1), labels=np.unique(truth), average="macro", zero_division=0
    )


SCORES = {
    "accuracy": lambda truth, probabilities: (probabilities.argmax(axis=1) == truth).mean(),
    "f1_micro": _f1("micro"),
    "f1_macro": _f1("macro"),
    "f1_weighted": _f1("weighted"),
    "balanced_accuracy": _balanced_accuracy,
    "auroc": _one_versus_rest(sklearn_metrics.roc_auc_score),
    "average_precision": _one_versus_rest(sklearn_metrics.average_precision_score),
    "ece": expected_calibration_error,
    "brier": brier_score,
}
