"""Scores by class with intervals, and what stands behind them, against scikit-learn and by hand."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn
from toy_runs import CLASSES, prediction, runs_of

from medpeft.data.labels import MULTI_CLASS, Labels
from medpeft.statistics.classwise import classwise, resampled
from medpeft.statistics.floor import floor


@pytest.fixture(scope="module")
def tables():
    return {("full", seed): prediction(1.5, seed) for seed in (0, 1)}


@pytest.fixture(scope="module")
def details(tables):
    runs = pd.concat([runs_of(tables), runs_of(tables, fraction=0.1)])
    validation = prediction(1.5, 9)
    return classwise(
        runs, lambda run: tables[run.method, int(run.seed)], lambda run: validation, defaultdict(lambda: MULTI_CLASS)
    )


def test_the_mean_over_seeds_is_that_of_scikit_learn(details, tables):
    scores = details.scores.set_index(["class", "metric"])
    assert set(details.scores["fraction"]) == {1.0}
    for label in CLASSES:
        each = [sklearn.roc_auc_score(t["label"] == label, t[f"probability_{label}"]) for t in tables.values()]
        row = scores.loc[(label, "auroc")]
        assert (row["mean"], row["std"]) == pytest.approx((np.mean(each), np.std(each, ddof=1)))
        assert row["low"] < row["mean"] < row["high"]
    overall = scores.loc[("", "auroc"), "mean"]
    assert overall == pytest.approx(np.mean([scores.loc[(label, "auroc"), "mean"] for label in CLASSES]))
    assert {"sensitivity", "ppv", "ece_scaled", "f1_micro"} <= set(scores.loc[""].index)


def test_images_of_a_cluster_are_resampled_together():
    weights = resampled("busi", pd.Series([5, 5, 7, 9]))
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert weights[:, 2].std() > 0.5


def test_confusions_are_means_over_seeds(details, tables):
    expected = np.mean(
        [
            sklearn.confusion_matrix(
                table["label"], CLASSES[table.filter(like="probability_").to_numpy().argmax(axis=1)], labels=CLASSES
            )
            for table in tables.values()
        ],
        axis=0,
    )
    found = details.confusions.pivot(index="label", columns="predicted", values="images").loc[CLASSES, CLASSES]
    np.testing.assert_allclose(found, expected)
    assert details.confusions.groupby("label")["share"].sum().tolist() == pytest.approx([1, 1, 1])


def test_curves_enclose_the_area_and_end_at_the_share_of_the_class(details, tables):
    points = details.curves.set_index(["curve", "class"])
    scores = details.scores.set_index(["class", "metric"])["mean"]
    for label in CLASSES:
        roc, recall = points.loc[("roc", label)], points.loc[("precision_recall", label)]
        assert np.trapezoid(roc["y"], roc["x"]) == pytest.approx(scores[label, "auroc"], abs=0.03)
        assert recall["y"].mean() == pytest.approx(scores[label, "average_precision"], abs=0.05)
        assert roc["y"].is_monotonic_increasing
        share = (tables["full", 0]["label"] == label).mean()
        assert points.loc[("precision_recall_chance", label), "y"].tolist() == pytest.approx([share, share])


def test_reliability_adds_up_to_accuracy(details):
    scores = details.scores.set_index(["class", "metric"])["mean"]
    for kind in ("predicted", "scaled"):
        bins = details.reliability[details.reliability["probabilities"] == kind]
        assert bins["share"].sum() == pytest.approx(1)
        assert (bins["accuracy"] * bins["share"]).sum() == pytest.approx(scores["", "accuracy"])


def test_a_study_without_a_finished_run_has_no_rows(tables):
    failed = runs_of(tables).assign(status="failed: nan")
    assert [len(table) for table in classwise(failed, None, None, defaultdict(lambda: MULTI_CLASS))] == [0, 0, 0, 0]


def test_the_floor_is_that_of_the_majority_class_of_the_training_images():
    train, test = ["a"] * 6 + ["b"] * 4, ["a"] * 2 + ["b"] * 3
    rows = pd.DataFrame({"split": ["train"] * 10 + ["test"] * 5, "label": train + test})
    found = floor("busi", rows, Labels("multi-class", ("a", "b"))).set_index("metric")
    assert set(found["majority"]) == {"a"}
    expected = {"accuracy": 0.4, "f1_micro": 0.4, "f1_macro": (4 / 7 + 0) / 2, "balanced_accuracy": 0.5, "mcc": 0}
    expected |= {"auroc": 0.5, "average_precision": 0.5, "brier": (2 * 2 * 0.4**2 + 3 * 2 * 0.6**2) / 5, "ece": 0.2}
    assert {name: found.at[name, "score"] for name in expected} == pytest.approx(expected)


def test_the_floor_of_several_labels_predicts_what_half_of_the_training_images_have():
    rows = pd.DataFrame(
        {
            "split": ["train"] * 4 + ["test"] * 2,
            "label": ["a", "a|b", "", "a", "a", "b"],
            "unknown": ["b", "", "a", "", "", ""],
        }
    )
    found = floor("nih", rows, Labels("multi-label", ("a", "b"))).set_index("metric")["score"]
    assert found["f1_micro"] == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))  # all have a: one hit, one too many, b missed
    assert found["auroc"] == 0.5
