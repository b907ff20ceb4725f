"""The scores of a run: the same as those of scikit-learn, right on hand-made cases, empty for a failed run."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from medpeft.base.errors import UserError
from medpeft.statistics.evaluate import evaluate
from medpeft.statistics.metrics import classification

OK = {"status": "ok", "n_train": 12}


def predictions(classes, size=60, seed=0):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(len(classes)), size)
    table = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in classes])
    table.insert(0, "label", random.choice(classes, size))
    return table.assign(image_id=[f"i{row}" for row in range(size)], cluster=range(size))


@pytest.mark.parametrize("classes", [["absent", "present"], ["benign", "malignant", "normal"]])
def test_scores_are_those_of_scikit_learn(classes):
    table = predictions(classes)
    probabilities = table.filter(like="probability_").to_numpy()
    truth, guess = table["label"], np.array(classes)[probabilities.argmax(axis=1)]
    one_hot = (truth.to_numpy()[:, None] == np.array(classes)).astype(int)
    found = evaluate(table, OK)
    expected = {
        "accuracy": metrics.accuracy_score(truth, guess),
        "f1_micro": metrics.f1_score(truth, guess, average="micro"),
        "f1_macro": metrics.f1_score(truth, guess, average="macro"),
        "f1_weighted": metrics.f1_score(truth, guess, average="weighted"),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, guess),
        "auroc": metrics.roc_auc_score(one_hot, probabilities, average="macro"),
        "average_precision": metrics.average_precision_score(one_hot, probabilities, average="macro"),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert found["f1_micro"] == pytest.approx(found["accuracy"])
    assert (found["n_train"], found["n_test"], found["status"]) == (12, 60, "ok")


def test_auroc_of_two_classes_is_that_of_the_second():
    table = predictions(["absent", "present"])
    expected = metrics.roc_auc_score(table["label"] == "present", table["probability_present"])
    assert evaluate(table, OK)["auroc"] == pytest.approx(expected)


def test_a_failed_run_has_no_scores():
    empty = pd.DataFrame(columns=["image_id", "cluster", "label"])
    found = evaluate(empty, {"status": "failed: out of memory", "n_train": 12})
    assert found["status"] == "failed: out of memory"
    assert all(found[name] is None for name in classification())


def test_a_single_class_leaves_the_area_under_the_curve_undefined():
    table = predictions(["absent", "present"]).assign(label="present")
    assert evaluate(table, OK)["auroc"] is None


@pytest.mark.parametrize("break_it", [{"label": "unheard of"}, {"probability_present": np.nan}])
def test_damaged_predictions_are_a_sentence(break_it):
    with pytest.raises(UserError, match=r"predictions\.csv"):
        evaluate(predictions(["absent", "present"]).assign(**break_it), OK)
