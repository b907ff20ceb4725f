"""Scores of all classes together: float arrays (rows of weights,), NaN where undefined."""

from collections.abc import Callable

import numpy as np

from medpeft.statistics.scoring import by_class
from medpeft.statistics.scoring.scored import Scored, mean_of_classes, ratio

CALIBRATION_BINS = 15
ScoreFunction = Callable[[Scored], np.ndarray]


def macro(score: ScoreFunction) -> ScoreFunction:
    """Return the mean over classes of a score by class; over the one that is looked for where there is one."""

    def mean(scored: Scored) -> np.ndarray:
        return mean_of_classes(score(scored)[:, scored.averaged])

    return mean


def accuracy(scored: Scored) -> np.ndarray:
    """Return the share of images whose most probable class is theirs."""
    return scored.mean(scored.predicted == scored.truth)


def f1_micro(scored: Scored) -> np.ndarray:
    """Return F1 from the hits of all classes together; where each image is of one class it is accuracy."""
    return ratio(2 * scored.hits.sum(axis=1), (scored.guesses + scored.support).sum(axis=1))


def f1_macro(scored: Scored) -> np.ndarray:
    """Return the mean F1 of the classes that are among the labels or predicted."""
    return mean_of_classes(by_class.f1(scored))


def f1_weighted(scored: Scored) -> np.ndarray:
    """Return the mean F1 of the classes, weighted by their numbers of images."""
    each = np.nan_to_num(by_class.f1(scored))
    return ratio((each * scored.support).sum(axis=1), scored.support.sum(axis=1))


def balanced_accuracy(scored: Scored) -> np.ndarray:
    """Return the mean recall of the classes that some image is of."""
    return mean_of_classes(by_class.recall(scored))


def matthews_correlation(scored: Scored) -> np.ndarray:
    """Return the correlation of true and predicted classes; 0 where either are all the same.

    Source: Gorodkin 2004, Comparing two K-category assignments by a K-category correlation coefficient, equation 8.
    """
    size = scored.total
    shared = scored.hits.sum(axis=1) * size - (scored.support * scored.guesses).sum(axis=1)
    spread = [size**2 - np.square(each).sum(axis=1) for each in (scored.support, scored.guesses)]
    product = np.sqrt(spread[0]) * np.sqrt(spread[1])
    found = np.divide(shared, product, out=np.zeros_like(product), where=product > 0)
    return np.where(size > 0, found, np.nan)


def quadratic_kappa(scored: Scored) -> np.ndarray:
    """Return Cohen's kappa with quadratic weights: agreement beyond chance, where far misses count more.

    Source: Cohen 1968, Weighted kappa.
    """
    places = np.arange(scored.probabilities.shape[1])
    distances = np.square(places[:, None] - places)
    seen = scored.mean(np.square(scored.predicted - scored.truth))
    chance = np.einsum("ri,ij,rj->r", scored.support, distances, scored.guesses)
    return 1 - ratio(seen, ratio(chance, np.square(scored.total)))


def mean_absolute_error(scored: Scored) -> np.ndarray:
    """Return by how many steps in the order of the classes the predicted class is off, on average."""
    return scored.mean(np.abs(scored.predicted - scored.truth))


def expected_calibration_error(scored: Scored) -> np.ndarray:
    """Return the gap between confidence and accuracy, averaged over images.

    Confidence is the probability of the predicted class; the bins are of equal width and closed on the right. Of
    images with several labels, each label counts: confidence is its probability, and accuracy how often it is true.

    Source: Guo et al. 2017, On calibration of modern neural networks, equation 3.
    """
    return _calibration_error(scored, scored.probabilities)


def brier_score(scored: Scored) -> np.ndarray:
    """Return the squared distance of the probabilities from the truth, summed over classes, averaged over images.

    Source: Brier 1950, Verification of forecasts expressed in terms of probability, equation 2.
    """
    return _brier(scored, scored.probabilities)


def scaled_calibration_error(scored: Scored) -> np.ndarray:
    """Return the calibration error after temperature scaling."""
    return _calibration_error(scored, _scaled(scored))


def scaled_brier_score(scored: Scored) -> np.ndarray:
    """Return the Brier score after temperature scaling."""
    return _brier(scored, _scaled(scored))


def calibration_bins(confidence: np.ndarray) -> np.ndarray:
    """Return the number of the bin, from 0, in which each probability lies."""
    return np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)


def confidences(scored: Scored, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what calibration compares: the image, the confidence and the truth of each prediction, float (P,)."""
    if scored.exclusive:
        confidence = probabilities.max(axis=1)
        return np.arange(len(confidence)), confidence, probabilities.argmax(axis=1) == scored.truth
    images, labels = np.nonzero(scored.counted)
    return images, probabilities[images, labels], scored.labels[images, labels]


def _calibration_error(scored: Scored, probabilities: np.ndarray) -> np.ndarray:
    images, confidence, correct = confidences(scored, probabilities)
    place, gaps = calibration_bins(confidence), correct - confidence
    weights = scored.weights if scored.exclusive else scored.weights[:, images]
    # Row by row, for a product of matrices adds in another order than a single score does.
    summed = [np.bincount(place, weights=row * gaps, minlength=CALIBRATION_BINS) for row in weights]
    return ratio(np.abs(np.array(summed)).sum(axis=1), weights.sum(axis=1, dtype=float))


def _brier(scored: Scored, probabilities: np.ndarray) -> np.ndarray:
    # scikit-learn computes the same, but warns that probabilities read back from a file sum to one only nearly.
    squares = np.square(probabilities - scored.labels)
    return scored.mean(np.where(scored.counted, squares, 0.0).sum(axis=1))


def _scaled(scored: Scored) -> np.ndarray:
    if scored.scaled is None:
        raise ValueError("a score after temperature scaling needs scaled probabilities")
    return scored.scaled
