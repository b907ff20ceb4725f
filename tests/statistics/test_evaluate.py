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
    assert evaluate(empty, {"status": "failed: out of memory", "n_train": 12}, empty) == found


def half_right(table):
    """Return predictions of which at least every second is right."""
    likeliest = table.filter(like="probability_").idxmax(axis=1).str.removeprefix("probability_")
    return table.assign(label=np.where(np.arange(len(table)) % 2, table["label"], likeliest))


def test_thresholds_and_temperature_are_those_of_validation():
    validation, test = (half_right(predictions(["a", "b", "c"], seed=seed)) for seed in (1, 2))
    found = evaluate(test, OK, validation)
    assert evaluate(test, OK, test)["thresholds"] != found["thresholds"]
    for name, threshold in found["thresholds"].items():
        flagged, of_it = test[f"probability_{name}"] >= threshold, test["label"] == name
        assert found["by_class"]["sensitivity"][name] == pytest.approx(flagged[of_it].mean())
        assert found["by_class"]["specificity"][name] == pytest.approx(1 - flagged[~of_it].mean())
        assert found["by_class"]["ppv"][name] == pytest.approx(of_it[flagged].mean())
        assert found["by_class"]["npv"][name] == pytest.approx(1 - of_it[~flagged].mean())
    assert found["sensitivity"] == pytest.approx(np.mean(list(found["by_class"]["sensitivity"].values())))
    powers = test.filter(like="probability_").to_numpy() ** (1 / found["temperature"])
    one_hot = test["label"].to_numpy()[:, None] == np.array(["a", "b", "c"])
    distances = np.square(powers / powers.sum(axis=1, keepdims=True) - one_hot).sum(axis=1)
    assert found["brier_scaled"] == pytest.approx(distances.mean())


def test_without_validation_no_score_rests_on_thresholds():
    found = evaluate(predictions(["a", "b"]), OK)
    assert [found[name] for name in ("sensitivity", "ppv", "ece_scaled", "thresholds", "temperature")] == [None] * 5
    assert set(found["by_class"]) == {"f1_macro", "auroc", "average_precision", "sensitivity_at_specificity"}


def test_the_kind_of_labels_says_which_scores_there_are():
    table = predictions(["mild", "severe", "none"])
    graded = evaluate(table, OK | {"labels": {"task": "ordinal", "classes": ["none", "mild", "severe"]}})
    assert graded["kappa"] is not None
    assert evaluate(table, OK)["kappa"] is None
    two = evaluate(predictions(["absent", "present"]), OK | {"labels": {"task": "binary", "positive": "present"}})
    assert list(two["by_class"]["auroc"]) == ["present"]
    assert two["average_precision"] == two["by_class"]["average_precision"]["present"]


def test_images_may_have_several_labels_or_unknown_ones():
    table = predictions(["a", "b"], size=4).assign(
        label=["a|b", "", "b", "a"], unknown=["", "b", "a|b", np.nan], probability_a=[0.9, 0.2, 0.1, 0.3]
    )
    found = evaluate(table.assign(probability_b=[0.8, 0.9, 0.1, 0.6]), OK | {"labels": {"task": "multi-label"}})
    assert found["by_class"]["auroc"] == {"a": 1.0, "b": 1.0}
    assert found["f1_micro"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))  # a: one hit, one miss; b: one hit, one too many
    assert found["accuracy"] is None
    with pytest.raises(UserError, match=r"predictions\.csv"):
        evaluate(table.assign(label="c"), OK | {"labels": {"task": "multi-label"}})


def test_a_single_class_leaves_the_area_under_the_curve_undefined():
    table = predictions(["absent", "present"]).assign(label="present")
    assert evaluate(table, OK)["auroc"] is None


@pytest.mark.parametrize("break_it", [{"label": "unheard of"}, {"probability_present": np.nan}])
def test_damaged_predictions_are_a_sentence(break_it):
    with pytest.raises(UserError, match=r"predictions\.csv"):
        evaluate(predictions(["absent", "present"]).assign(**break_it), OK)
