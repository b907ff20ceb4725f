"""Scores of each class, against all others: float arrays (rows of weights, classes), NaN where undefined."""

import numpy as np

from medpeft.statistics.scoring.scored import Scored, ratio

FIXED_SPECIFICITY = 0.9  # at which sensitivity is read off the curve
ROUNDING = 1e-9  # images: what sums of whole weights may be off by


def f1(scored: Scored) -> np.ndarray:
    """Return the F1 score of each class; NaN where a class is neither among the labels nor predicted."""
    return ratio(2 * scored.hits, scored.guesses + scored.support)


def recall(scored: Scored) -> np.ndarray:
    """Return the share of the images of each class that are predicted to be of it."""
    return ratio(scored.hits, scored.support)


def sensitivity(scored: Scored) -> np.ndarray:
    """Return the share of the images of each class whose probability reaches the threshold of the class."""
    return ratio(scored.count(_flagged(scored) & scored.labels), scored.support)


def specificity(scored: Scored) -> np.ndarray:
    """Return the share of the images without each class whose probability stays below its threshold."""
    others = ~scored.labels & scored.counted
    return ratio(scored.count(others & ~_flagged(scored)), scored.count(others))


def positive_predictive_value(scored: Scored) -> np.ndarray:
    """Return the share of the images above the threshold of each class that are of it."""
    flagged = _flagged(scored)
    return ratio(scored.count(flagged & scored.labels), scored.count(flagged))


def negative_predictive_value(scored: Scored) -> np.ndarray:
    """Return the share of the images below the threshold of each class that are not of it."""
    below = ~_flagged(scored) & scored.counted
    return ratio(scored.count(below & ~scored.labels), scored.count(below))


def auroc(scored: Scored) -> np.ndarray:
    """Return the area under the ROC curve of each class: how often one of its images is ranked above another one."""
    if len(scored.weights) == 1:
        from sklearn.metrics import roc_auc_score  # here, for a study looks metrics up and scores nothing

        return _by_sklearn(roc_auc_score, scored)
    return _each(scored, _area)


def average_precision(scored: Scored) -> np.ndarray:
    """Return the precision of each class, averaged over the steps of its recall."""
    if len(scored.weights) == 1:
        from sklearn.metrics import average_precision_score

        return _by_sklearn(average_precision_score, scored)
    return _each(scored, _precision)


def sensitivity_at_specificity(scored: Scored) -> np.ndarray:
    """Return the highest sensitivity of each class at which specificity is `FIXED_SPECIFICITY` or more."""
    return _each(scored, _sensitivity_at)


def _flagged(scored: Scored) -> np.ndarray:
    if scored.thresholds is None:
        raise ValueError("a score at thresholds needs thresholds")
    return (scored.probabilities >= scored.thresholds) & scored.counted


def _each(scored: Scored, score) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return `score(true, false)` of each class, NaN in rows that lack images with or without the class."""
    found = np.full((len(scored.weights), scored.probabilities.shape[1]), np.nan)
    for label in range(found.shape[1]):
        true, false = scored.steps(label)
        if true.shape[1]:
            both = (true[:, -1] > 0) & (false[:, -1] > 0)
            found[both, label] = score(true[both], false[both])
    return found


def _area(true: np.ndarray, false: np.ndarray) -> np.ndarray:
    heights = true + np.pad(true, ((0, 0), (1, 0)))[:, :-1]
    return (np.diff(false, prepend=0) * heights).sum(axis=1) / (2 * true[:, -1] * false[:, -1])


def _precision(true: np.ndarray, false: np.ndarray) -> np.ndarray:
    steps = np.diff(true, prepend=0)
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=steps > 0)
    return (steps * precision).sum(axis=1) / true[:, -1]


def _sensitivity_at(true: np.ndarray, false: np.ndarray) -> np.ndarray:
    allowed = false <= (1 - FIXED_SPECIFICITY) * false[:, -1:] + ROUNDING
    return np.where(allowed, true, 0.0).max(axis=1) / true[:, -1]


def _by_sklearn(score, scored: Scored) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return a `score` of scikit-learn for one row of weights."""
    weights, found = scored.weights[0].astype(float), np.full((1, scored.probabilities.shape[1]), np.nan)
    for label in range(found.shape[1]):
        images = scored.counted[:, label] & (weights > 0)
        truth = scored.labels[images, label]
        if truth.any() and not truth.all():
            found[0, label] = score(truth, scored.probabilities[images, label], sample_weight=weights[images])
    return found
