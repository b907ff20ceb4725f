"""Temperature scaling: one number, fitted on validation, by which logits are divided."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, logit, softmax

from medpeft.statistics.scoring.scored import Scored

TEMPERATURES = (0.02, 50.0)  # the least and the greatest
SMALLEST = np.finfo(float).tiny  # for a probability that was rounded to 0


def fitted_temperature(validation: Scored) -> float:
    """Return the temperature with the highest likelihood of the validation labels; 1 without any label.

    Args:
        validation: Predictions for the validation images; weights are not looked at.

    Source: Guo et al. 2017, On calibration of modern neural networks, section 4.2.
    """
    logits, labels = _logits(validation.probabilities, validation.exclusive), validation.labels
    if not validation.counted.any():
        return 1.0

    def loss(logarithm: float) -> float:
        divided = logits / np.exp(logarithm)
        if validation.exclusive:
            return float(-log_softmax(divided, axis=1)[labels].mean())
        return float(-np.where(labels, log_expit(divided), log_expit(-divided))[validation.counted].mean())

    bounds = tuple(np.log(TEMPERATURES))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))


def scaled(probabilities: np.ndarray, temperature: float, exclusive: bool) -> np.ndarray:
    """Return `probabilities`, float (images, classes), after their logits were divided by `temperature`."""
    divided = _logits(probabilities, exclusive) / temperature
    return softmax(divided, axis=1) if exclusive else expit(divided)


def _logits(probabilities: np.ndarray, exclusive: bool) -> np.ndarray:
    """Return logits that give `probabilities`; those of classes that exclude each other but for a constant."""
    if exclusive:
        return np.log(np.maximum(probabilities, SMALLEST))
    return logit(np.clip(probabilities, SMALLEST, 1 - np.finfo(float).epsneg))
