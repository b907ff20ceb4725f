"""The registry of metrics: whatever metric is in it keeps its promises."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from medpeft.statistics.collect import RUN_COLUMNS
from medpeft.statistics.metrics import (
    METRICS,
    PRIMARY,
    Tallies,
    brier_score,
    classification,
    expected_calibration_error,
    shown_in,
    with_interval,
)


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    truth = np.array([0, 1, 1, 1])
    # Bin of .9: accuracy 1/2, gap .4; bin of .6: accuracy 1, gap .4; each holds half of the images.
    assert expected_calibration_error(truth, probabilities) == pytest.approx(0.4)
    assert expected_calibration_error(np.array([0, 1]), np.eye(2)) == 0


def test_brier_score_by_hand():
    assert brier_score(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])) == pytest.approx(1.0)  # 0 and 2


@pytest.mark.parametrize("classes", [2, 5])
def test_brier_score_is_that_of_scikit_learn(classes):
    truth, probabilities = drawn(classes, seed=0)
    expected = brier_score_loss(truth, probabilities, scale_by_half=False)
    assert brier_score(truth, probabilities) == pytest.approx(expected, rel=1e-12)


def drawn(classes, seed, images=200):
    """Return true classes and random probabilities that know nothing of them."""
    random = np.random.default_rng([classes, seed])
    truth = np.concatenate([np.arange(classes), random.integers(0, classes, images - classes)])
    return truth, random.dirichlet(np.ones(classes), images)


def gain(name, score, other):
    """Return by how much `score` is better than `other`."""
    return (score - other) * (1 if METRICS[name].higher_is_better else -1)


@pytest.mark.parametrize("name", classification())
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_scores_lie_within_their_bounds(name, classes):
    function, (low, high) = classification()[name], METRICS[name].bounds
    for seed in range(5):
        truth, probabilities = drawn(classes, seed)
        wrong = np.eye(classes)[(truth + 1) % classes]
        for predicted in (probabilities, wrong, np.eye(classes)[truth], np.full_like(wrong, 1 / classes)):
            assert low - 1e-12 <= function(truth, predicted) <= high + 1e-12


@pytest.mark.parametrize("name", classification())
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_perfect_predictions_have_the_best_score(name, classes):
    function, metric = classification()[name], METRICS[name]
    truth, probabilities = drawn(classes, 0)
    perfect = function(truth, np.eye(classes)[truth])
    assert perfect == pytest.approx(metric.bounds[metric.higher_is_better])
    assert gain(name, perfect, function(truth, probabilities)) > 0
    assert gain(name, perfect, function(truth, np.eye(classes)[(truth + 1) % classes])) > 0


@pytest.mark.parametrize("name", classification())
def test_the_order_of_images_and_classes_makes_no_difference(name):
    truth, probabilities = drawn(4, 0)
    images, classes = np.random.default_rng(1).permutation(len(truth)), np.array([2, 0, 3, 1])
    function = classification()[name]
    assert function(truth[images], probabilities[images]) == pytest.approx(function(truth, probabilities))
    assert function(np.argsort(classes)[truth], probabilities[:, classes]) == pytest.approx(
        function(truth, probabilities)
    )


@pytest.mark.parametrize("name", with_interval())
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_over_resamples_a_metric_is_itself_on_each(name, classes):
    """A class that a resample neither holds nor predicts is left out, as in the score of a run."""
    truth, probabilities = drawn(classes, 0, images=30)
    one_hot, predicted = np.eye(classes)[truth], np.eye(classes)[probabilities.argmax(axis=1)]
    times = np.random.default_rng(2).multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=50)
    found = with_interval()[name](Tallies(*(times @ each for each in (one_hot * predicted, predicted, one_hot))))
    for row, score in zip(times, found, strict=True):
        images = np.repeat(np.arange(len(truth)), row)
        assert score == pytest.approx(classification()[name](truth[images], probabilities[images]), abs=1e-12)


def test_every_metric_is_a_column_of_the_table_of_runs():
    assert [column for column in RUN_COLUMNS if column in METRICS] == list(METRICS)
    assert {f"floor_{name}" for name in shown_in("floor")} < set(RUN_COLUMNS)


def test_metrics_are_shown_where_their_numbers_are():
    tasks = {place: {METRICS[name].task for name in shown_in(place)} for place in ("scores", "calibration")}
    tasks |= {"downstream": {METRICS[name].task for name in shown_in("downstream")}}
    assert set(map(frozenset, tasks.values())) == {frozenset({"classification"})}
    assert {METRICS[name].task for name in (*shown_in("generation"), *shown_in("floor"))} == {"text-to-image"}
    assert set(with_interval()) | set(shown_in("calibration")) <= set(shown_in("scores"))
    assert PRIMARY in with_interval()
    assert {*shown_in("downstream"), *with_interval()} <= classification().keys()
    assert all(METRICS[name].task == "classification" for name in classification())


def test_labels_are_distinct_and_begin_a_sentence():
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)
    assert METRICS["f1_micro"].heading == "Micro-F1"
    assert METRICS["ece"].heading == "ECE"
