"""The probability from which a class is predicted, chosen on validation."""

import numpy as np
from sklearn.metrics import roc_curve

from medpeft.statistics.scoring.scored import HALF, Scored


def chosen_thresholds(validation: Scored) -> np.ndarray:
    """Return the threshold of each class with the highest sum of sensitivity and specificity on validation.

    Of several, the highest is taken. A class that all validation images are of, or none, keeps one half.

    Args:
        validation: Predictions for the validation images; weights are not looked at.

    Returns:
        Float (classes,); an image is predicted to be of a class where its probability is the threshold or more.

    Source: Youden 1950, Index for rating diagnostic tests.
    """
    found = np.full(validation.probabilities.shape[1], HALF)
    for label in range(len(found)):
        known = validation.counted[:, label]
        truth = validation.labels[known, label]
        if truth.any() and not truth.all():
            scores = validation.probabilities[known, label]
            false, true, thresholds = roc_curve(truth, scores, drop_intermediate=False)
            index = np.round(true - false, 12)  # equal ones are to tie whatever they were computed from
            found[label] = thresholds[1 + index[1:].argmax()]  # the first one is infinite
    return found
