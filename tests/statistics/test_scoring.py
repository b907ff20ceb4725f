"""Metrics over weighted resamples: scikit-learn, or a few lines by hand, gives the same on every row of weights."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn import metrics as sklearn

from medpeft.statistics.metrics import METRICS, by_each_class, classification
from medpeft.statistics.scoring.predictions import Decision
from medpeft.statistics.scoring.scored import Scored
from medpeft.statistics.scoring.temperature import fitted_temperature, scaled
from medpeft.statistics.scoring.thresholds import chosen_thresholds

IMAGES = 40
KINDS = {"several": 4, "two": 2, "tied": 3, "absent": 5, "single": 3}


def drawn(kind, seed=0, rows=6):
    """Return predictions for images of several classes that exclude each other.

    Of the kind `tied` probabilities have one digit, of `absent` two classes have no image and one is never predicted,
    of `single` all images are of one class. Weights are whole, many are 0; the first row is ones, the last all but
    zeros.
    """
    random, classes = np.random.default_rng([seed, *kind.encode()]), KINDS[kind]
    truth = random.integers(0, classes - 2 * (kind == "absent"), IMAGES)
    if kind == "single":
        truth[:] = 1
    logits = random.normal(size=(IMAGES, classes)) + 1.2 * np.eye(classes)[truth]
    if kind == "absent":
        logits[:, 0] -= 9
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if kind == "tied":
        probabilities = probabilities.round(1)
    weights = random.integers(0, 4, (rows, IMAGES)).astype(float) * random.integers(0, 2, (rows, IMAGES))
    weights[0], weights[-1] = 1, np.arange(IMAGES) < 2
    return decided(Scored(truth, probabilities, weights))


def several_labels(seed=0, rows=6, classes=4):
    """Return predictions for images with any number of labels, of which some are unknown; one class has no image."""
    random = np.random.default_rng(seed)
    truth = random.random((IMAGES, classes)) < 0.3
    truth[:, -1] = False
    probabilities = np.clip(random.beta(2, 3, (IMAGES, classes)) + 0.2 * truth, 0, 1).round(2)
    weights = random.integers(0, 3, (rows, IMAGES)).astype(float)
    weights[0] = 1
    return decided(Scored(truth, probabilities, weights, known=random.random((IMAGES, classes)) < 0.8))


def decided(scored):
    random = np.random.default_rng(1)
    classes = scored.probabilities.shape[1]
    return Decision(random.uniform(0.1, 0.6, classes), 1.7).applied(scored)


def repeated(scored, row):
    """Return the images of a row, each as often as it counts: labels, probabilities, known, scaled probabilities."""
    images = np.repeat(np.arange(IMAGES), scored.weights[row].astype(int))
    known = None if scored.known is None else scored.known[images]
    return scored.truth[images], scored.probabilities[images], known, scored.scaled[images]


def error_by_hand(confidence, correct):
    """Return the calibration error in 15 bins, bin by bin."""
    edges, total = np.linspace(0, 1, 16), 0.0
    for low, high in pairwise(edges):
        here = (confidence > low) & (confidence <= high) | (confidence == 0) & (low == 0)
        if here.any():
            total += here.mean() * abs(confidence[here].mean() - correct[here].mean())
    return total


def at_specificity(truth, scores):
    false, true, _ = sklearn.roc_curve(truth, scores, drop_intermediate=False)
    return true[false <= 0.1 + 1e-12].max()


def expected_each(truth, scores, threshold):
    """Return the scores of one class against all others; NaN where they are undefined."""
    both = 0 < truth.sum() < len(truth)
    (true_negative, false_positive), (false_negative, true_positive) = sklearn.confusion_matrix(
        truth, scores >= threshold, labels=[False, True]
    )
    share = lambda part, rest: part / (part + rest) if part + rest else np.nan  # noqa: E731
    return {
        "auroc": sklearn.roc_auc_score(truth, scores) if both else np.nan,
        "average_precision": sklearn.average_precision_score(truth, scores) if both else np.nan,
        "sensitivity_at_specificity": at_specificity(truth, scores) if both else np.nan,
        "sensitivity": share(true_positive, false_negative),
        "specificity": share(true_negative, false_positive),
        "ppv": share(true_positive, false_positive),
        "npv": share(true_negative, false_negative),
    }


def expected_overall(truth, probabilities, scaled_probabilities):
    guess, one_hot = probabilities.argmax(axis=1), np.eye(probabilities.shape[1])[truth]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = np.arange(probabilities.shape[1])  # else the order has no gaps
        kappa = sklearn.cohen_kappa_score(truth, guess, labels=labels, weights="quadratic")
        balanced = sklearn.balanced_accuracy_score(truth, guess)
        correlation = sklearn.matthews_corrcoef(truth, guess)
    found = {
        "accuracy": sklearn.accuracy_score(truth, guess),
        "f1_micro": sklearn.f1_score(truth, guess, average="micro"),
        "f1_macro": sklearn.f1_score(truth, guess, average="macro"),
        "f1_weighted": sklearn.f1_score(truth, guess, average="weighted"),
        "balanced_accuracy": balanced,
        "mcc": correlation,
        "kappa": kappa,
        "mae": sklearn.mean_absolute_error(truth, guess),
    }
    for suffix, given in (("", probabilities), ("_scaled", scaled_probabilities)):
        found[f"ece{suffix}"] = error_by_hand(given.max(axis=1), given.argmax(axis=1) == truth)
        found[f"brier{suffix}"] = np.square(given - one_hot).sum(axis=1).mean()
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_on_every_row_of_weights_metrics_are_those_of_scikit_learn(kind, seed):
    scored = drawn(kind, seed)
    overall = {name: function(scored) for name, function in classification().items()}
    each = {name: function(scored) for name, function in by_each_class().items()}
    for row in range(len(scored.weights)):
        truth, probabilities, _, again = repeated(scored, row)
        expected = expected_overall(truth, probabilities, again)
        of_classes = [
            expected_each(truth == label, probabilities[:, label], scored.thresholds[label])
            for label in range(probabilities.shape[1])
        ]
        for name in of_classes[0]:
            values = np.array([scores[name] for scores in of_classes])
            assert each[name][row] == pytest.approx(values, abs=1e-12, nan_ok=True), name
            expected[name] = np.nan if np.isnan(values).all() else np.nanmean(values)
        assert expected.keys() == overall.keys()
        assert {name: scores[row] for name, scores in overall.items()} == pytest.approx(
            expected, abs=1e-10, nan_ok=True
        )


@pytest.mark.parametrize("seed", range(3))
def test_images_with_several_labels_are_scored_without_what_nobody_knows(seed):
    scored = several_labels(seed)
    overall = {name: function(scored) for name, function in classification("multi-label").items()}
    each = {name: function(scored) for name, function in by_each_class("multi-label").items()}
    assert not {"accuracy", "balanced_accuracy", "mcc", "kappa", "mae"} & overall.keys()
    for row in range(len(scored.weights)):
        truth, probabilities, known, again = repeated(scored, row)
        flagged = probabilities >= scored.thresholds
        f1 = []
        for label in range(truth.shape[1]):
            here = known[:, label]
            expected = expected_each(truth[here, label], probabilities[here, label], scored.thresholds[label])
            for name, value in expected.items():
                assert each[name][row, label] == pytest.approx(value, abs=1e-12, nan_ok=True), name
            f1.append(sklearn.f1_score(truth[here, label], flagged[here, label], zero_division=np.nan))
        assert overall["f1_macro"][row] == pytest.approx(np.nanmean(f1))
        assert overall["f1_micro"][row] == pytest.approx(sklearn.f1_score(truth[known], flagged[known]))
        assert overall["auroc"][row] == pytest.approx(np.nanmean(each["auroc"][row]))
        assert overall["ece"][row] == pytest.approx(error_by_hand(probabilities[known], truth[known]))
        squares = np.where(known, np.square(again - truth), 0)
        assert overall["brier_scaled"][row] == pytest.approx(squares.sum(axis=1).mean())


def test_without_thresholds_a_label_is_predicted_from_one_half():
    scored = Scored(np.array([[True], [False]]), np.array([[0.5], [0.4]]), np.ones((1, 2)))
    assert METRICS["f1_micro"].function(scored) == 1


def test_of_two_classes_the_one_that_is_looked_for_is_scored():
    scored = drawn("two")
    looked_for = decided(Scored(scored.truth, scored.probabilities, scored.weights, positive=0))
    for name in ("sensitivity", "ppv", "average_precision"):
        assert METRICS[name].function(looked_for) == pytest.approx(METRICS[name].by_class(scored)[:, 0], nan_ok=True)


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_and_many_rows_give_the_same(kind):
    scored = drawn(kind, seed=5)
    for name, function in classification().items():
        alone = decided(Scored(scored.truth, scored.probabilities, scored.weights[:1]))
        assert function(alone)[0] == pytest.approx(function(scored)[0], abs=1e-12, nan_ok=True), name


def test_an_empty_row_has_no_score():
    scored = drawn("several")
    nothing = decided(Scored(scored.truth, scored.probabilities, np.zeros((2, IMAGES))))
    for name, function in classification().items():
        assert np.isnan(function(nothing)).all(), name


def test_thresholds_are_the_best_by_youden_among_all_probabilities():
    for validation in (drawn("several", 3), drawn("tied", 4), several_labels(2)):
        for label, threshold in enumerate(chosen_thresholds(validation)):
            known = validation.counted[:, label]
            truth, scores = validation.labels[known, label], validation.probabilities[known, label]
            if not 0 < truth.sum() < len(truth):
                assert threshold == 0.5
                continue
            index = {cut: (scores[truth] >= cut).mean() - (scores[~truth] >= cut).mean() for cut in set(scores)}
            assert index[threshold] == pytest.approx(max(index.values()))
            assert threshold == max(cut for cut, value in index.items() if value > max(index.values()) - 1e-9)


@pytest.mark.parametrize("wrong", [0.4, 1.0, 2.5])
def test_the_temperature_that_spoilt_probabilities_is_found(wrong):
    random = np.random.default_rng(0)
    logits = 2 * random.normal(size=(20_000, 3))
    right = np.exp(log_softmax(logits, axis=1))
    truth = (random.random((20_000, 1)) > right.cumsum(axis=1)).sum(axis=1).clip(max=2)
    spoilt = np.exp(log_softmax(logits * wrong, axis=1))
    temperature = fitted_temperature(Scored(truth, spoilt, np.ones((1, 20_000))))
    assert temperature == pytest.approx(wrong, rel=0.05)
    np.testing.assert_allclose(scaled(spoilt, wrong, exclusive=True), right, atol=1e-9)


def test_the_temperature_of_several_labels_is_that_of_each_label():
    random = np.random.default_rng(0)
    logits = 1.5 * random.normal(size=(9_000, 2))
    right = 1 / (1 + np.exp(-logits))
    truth = random.random(right.shape) < right
    spoilt = 1 / (1 + np.exp(-3 * logits))
    known = np.ones_like(truth)
    known[:100] = False
    assert fitted_temperature(Scored(truth, spoilt, np.ones((1, 9_000)), known=known)) == pytest.approx(3, rel=0.07)
    np.testing.assert_allclose(scaled(spoilt, 3.0, exclusive=False), right, atol=1e-9)


def test_certain_probabilities_have_a_finite_temperature():
    validation = Scored(np.array([0, 1, 1]), np.array([[1.0, 0], [0, 1], [1, 0]]), np.ones((1, 3)))
    temperature = fitted_temperature(validation)
    assert np.isfinite(scaled(validation.probabilities, temperature, exclusive=True)).all()
    assert temperature > 1
