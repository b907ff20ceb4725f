"""What the paper says of the design follows the study: its metric, its labels, and what is not as usual in training."""

from dataclasses import replace

import pandas as pd
import pytest
from test_paper import SETTINGS, evidence

from medpeft.artefacts.findings import findings
from medpeft.artefacts.sentences.design import UPDATED, WEIGHTED, score_sentence
from medpeft.data import registry

BUSI = registry.load("busi")
SEVERAL = replace(BUSI, labels="multi-label", classes=tuple(BUSI.counts))
ORDERED = replace(BUSI, labels="ordinal", classes=("normal", "benign", "malignant"))


def _several(**counts) -> pd.DataFrame:
    rows = [("", "unknown_labels", "all", label, count) for label, count in counts.items()]
    table = evidence().audits["busi"]
    return pd.concat([table, pd.DataFrame(rows, columns=table.columns)])


@pytest.mark.parametrize(
    ("metric", "datasets", "said"),
    [
        ("f1_micro", [BUSI], "The score is micro-F1, which equals accuracy here."),
        (
            "f1_micro",
            [SEVERAL],
            "micro-F1, which equals accuracy where classes exclude",
        ),
        ("auroc", [BUSI], "The score is AUROC. It also chooses epoch and learning rate on validation."),
        ("mae", [ORDERED], "The score is mean absolute error, of which less is better."),
    ],
)
def test_the_score_is_that_of_the_study(metric, datasets, said):
    assert said in score_sentence({"primary_metric": metric}, datasets)


def test_the_findings_name_the_metric():
    overview = findings(replace(evidence(), settings=SETTINGS | {"primary_metric": "auroc"}))["overview"]
    assert (overview["metric"], "accuracy" in overview["score"]) == ("AUROC", False)
    assert findings(evidence())["overview"]["metric"] == "micro-F1"


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({}, []),
        ({"class_weights": "balanced"}, [WEIGHTED[False]]),
        ({"batchnorm": "updated"}, [UPDATED]),
        ({"class_weights": "balanced", "batchnorm": "updated"}, [WEIGHTED[False], UPDATED]),
    ],
)
def test_training_is_told_where_it_is_not_as_usual(recipe, said):
    settings = SETTINGS | {"recipe": SETTINGS["recipe"] | recipe}
    assert findings(replace(evidence(), settings=settings))["overview"]["policies"] == said


def test_weights_of_several_labels_are_other_ones():
    settings = SETTINGS | {"recipe": SETTINGS["recipe"] | {"class_weights": "balanced"}}
    several = {"busi": SEVERAL}
    found = findings(replace(evidence(), settings=settings, datasets=several))
    assert found["overview"]["policies"] == [WEIGHTED[True]]


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        (BUSI, ""),
        (ORDERED, "Labels are ordinal, from the lowest to the highest: normal, benign, malignant."),
        (
            replace(BUSI, labels="multi-label", classes=("normal", "benign", "malignant")),
            "An image may have several of these labels or none; of some it may not be known. 17 labels are not known: "
            "they take no part in loss and scores.",
        ),
    ],
)
def test_the_kind_of_labels_is_told(dataset, said):
    audit = _several(benign=12, malignant=5) if dataset.labels == "multi-label" else evidence().audits["busi"]
    rows = pd.DataFrame(
        [("grouped", "images", "train", label, 9) for label in ("normal", "malignant")], columns=audit.columns
    )
    found = replace(evidence(), datasets={"busi": dataset}, audits={"busi": pd.concat([audit, rows])})
    assert findings(found)["datasets"][0]["labels"] == said
