"""The registry of metrics: whatever metric is in it keeps its promises."""

import numpy as np
import pytest

from medpeft.statistics import registry
from medpeft.statistics.collect import RUN_COLUMNS
from medpeft.statistics.columns import PRIMARY
from medpeft.statistics.metrics import (
    EVERY,
    METRICS,
    by_each_class,
    can_choose,
    classification,
    score,
    shown_in,
    with_interval,
)
from medpeft.statistics.scoring.predictions import Decision
from medpeft.statistics.scoring.scored import Scored


def scores_of(truth, probabilities):
    """Return how predictions are scored on test images with one row of weights, thresholds of validation included."""
    plain = Scored(np.asarray(truth), np.asarray(probabilities, float), np.ones((1, len(truth))))
    return Decision(np.full(plain.probabilities.shape[1], 0.5), 1.5).applied(plain)


def test_calibration_error_by_hand():
    probabilities = [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]
    # Bin of .9: accuracy 1/2, gap .4; bin of .6: accuracy 1, gap .4; each holds half of the images.
    assert score("ece", scores_of([0, 1, 1, 1], probabilities)) == pytest.approx(0.4)
    assert score("ece", scores_of([0, 1], np.eye(2))) == 0


def test_brier_score_by_hand():
    assert score("brier", scores_of([0, 1], [[1.0, 0.0], [1.0, 0.0]])) == pytest.approx(1.0)  # 0 and 2


def test_misses_by_more_grades_count_more_by_hand():
    near, far = (scores_of([0, 1, 2, 2], np.eye(3)[guess]) for guess in ([0, 1, 2, 1], [0, 1, 2, 0]))
    assert [score("mae", found) for found in (near, far)] == [0.25, 0.5]
    # Squared misses seen: 1 and 4 of 4 images; by chance, from true grades 1, 1, 2 and predicted 1, 2, 1 and 2, 1, 1.
    assert score("kappa", near) == pytest.approx(1 - 1 / (20 / 4))
    assert score("kappa", far) == pytest.approx(1 - 4 / (26 / 4))


def drawn(classes, seed, images=200):
    """Return true classes and random probabilities that know nothing of them."""
    random = np.random.default_rng([classes, seed])
    truth = np.concatenate([np.arange(classes), random.integers(0, classes, images - classes)])
    return truth, random.dirichlet(np.ones(classes), images)


def gain(name, found, other):
    """Return by how much a score is better than another."""
    return (found - other) * METRICS[name].sign


@pytest.mark.parametrize("name", classification())
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_scores_lie_within_their_bounds(name, classes):
    low, high = METRICS[name].bounds
    for seed in range(5):
        truth, probabilities = drawn(classes, seed)
        wrong = np.eye(classes)[(truth + 1) % classes]
        for predicted in (probabilities, wrong, np.eye(classes)[truth]):
            assert low - 1e-12 <= score(name, scores_of(truth, predicted)) <= high + 1e-12


@pytest.mark.parametrize("name", classification())
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_perfect_predictions_have_the_best_score(name, classes):
    truth, probabilities = drawn(classes, 0)
    perfect = score(name, scores_of(truth, np.eye(classes)[truth]))
    assert perfect == pytest.approx(METRICS[name].bounds[METRICS[name].higher_is_better])
    assert gain(name, perfect, score(name, scores_of(truth, probabilities))) > 0
    assert gain(name, perfect, score(name, scores_of(truth, np.eye(classes)[(truth + 1) % classes]))) > 0


@pytest.mark.parametrize("name", classification("multi-class"))
def test_the_order_of_images_and_classes_makes_no_difference(name):
    truth, probabilities = drawn(4, 0)
    images, classes = np.random.default_rng(1).permutation(len(truth)), np.array([2, 0, 3, 1])
    found = score(name, scores_of(truth, probabilities))
    assert score(name, scores_of(truth[images], probabilities[images])) == pytest.approx(found)
    assert score(name, scores_of(np.argsort(classes)[truth], probabilities[:, classes])) == pytest.approx(found)


def test_every_metric_is_a_column_of_the_table_of_runs():
    assert [column for column in RUN_COLUMNS if column in METRICS] == list(METRICS)
    assert {f"floor_{name}" for name in shown_in("floor")} < set(RUN_COLUMNS)


def test_metrics_are_shown_where_their_numbers_are():
    places = ("scores", "comparisons", "calibration", "discrimination", "downstream")
    assert {METRICS[name].task for place in places for name in shown_in(place)} == {"classification"}
    assert {METRICS[name].task for name in (*shown_in("generation"), *shown_in("floor"))} == {"text-to-image"}
    assert {*shown_in("calibration"), *shown_in("discrimination")} <= set(shown_in("scores"))
    assert PRIMARY in shown_in("comparisons")
    assert {*shown_in("downstream"), *shown_in("comparisons")} <= with_interval().keys()
    assert not any(METRICS[name].needs_validation for name in (*shown_in("comparisons"), *shown_in("downstream")))


def test_metrics_of_predictions_have_a_function_and_a_kind_of_labels():
    for name, metric in METRICS.items():
        assert bool(metric.function) == (metric.task == "classification") == (name in classification())
        assert metric.kinds
    assert set(by_each_class()) <= set(classification())
    assert not {"mcc", "kappa", "accuracy"} & set(classification("multi-label"))
    assert {"kappa", "mae"} <= set(classification("ordinal")) - set(classification("multi-class"))


@pytest.mark.parametrize("kind", EVERY)
def test_a_study_may_be_decided_by_what_validation_alone_can_tell(kind):
    assert {PRIMARY, "auroc", "brier"} <= set(can_choose(kind))
    assert not {"sensitivity", "ppv", "ece_scaled", "fid"} & set(can_choose(kind))


def test_training_depends_on_the_entry_of_the_metric_that_decides_it():
    assert registry.entry("f1_weighted").startswith("Metric('weighted F1', function=overall.f1_weighted")
    assert len({registry.entry(name) for name in METRICS}) == len(METRICS)
    assert registry.metric("auroc") is METRICS["auroc"]


def test_labels_are_distinct_and_begin_a_sentence():
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)
    assert METRICS["f1_micro"].heading == "Micro-F1"
    assert METRICS["ece"].heading == "ECE"
