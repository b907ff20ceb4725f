"""The appendix answers items of two checklists from records alone: another record, another answer; no record, none."""

import copy
from dataclasses import replace

import pandas as pd
import pytest
from test_paper import evidence

from medpeft.artefacts.card import Numbers
from medpeft.artefacts.checklists import CLAIM, TRIPOD, reported
from medpeft.artefacts.findings import findings
from medpeft.artefacts.sentences.records import ENTRIES
from medpeft.artefacts.sentences.told import Told
from medpeft.data import registry
from medpeft.statistics.columns import CONFUSION_COLUMNS
from medpeft.statistics.populations.compare_subgroups import SUBGROUP_COLUMNS
from medpeft.statistics.populations.external_validation import EXTERNAL_COLUMNS

BUSI = registry.load("busi")
RECORD = {
    "task": "classification",
    "asked": {"method": "ssf", "recipe": {"epochs": 12, "batch_size": 16}},
    "method": {"family": "additive", "source": "arXiv 2210.08823"},
    "provenance": {
        "packages": {"torch": "2.14.1"},
        "python": "3.11.7",
        "hardware": "AMD EPYC",
        "study": "df87e69a8463b50a",
        "commit": "09bb36943fdb437d",
    },
}


def told(**changes) -> Told:
    found = evidence()
    scores = found.scores.assign(low=0.6, high=0.9)
    runs = found.runs.assign(total_parameters=23_500_000)
    names = {"settings": found.settings, "runs": runs, "scores": scores, "datasets": found.datasets}
    audits = {name: Numbers(audit, "grouped") for name, audit in found.audits.items()}
    return Told(**names | {"audits": audits, "records": [RECORD], "limitations": ["One."]} | changes)


def answers(known: Told) -> dict[str, str]:
    return {row["topic"]: row["answer"] for row in reported(known)["rows"]}


def recorded(**provenance) -> list[dict]:
    record = copy.deepcopy(RECORD)
    record["provenance"] |= provenance
    return [record]


def counted(measure: str, scope: str, count: int, protocol: str = "", label: str = "") -> dict[str, Numbers]:
    """Return the audit with another number in it."""
    audit = evidence().audits["busi"]
    row = pd.DataFrame([(protocol, measure, scope, label, count)], columns=audit.columns)
    keys = ["protocol", "measure", "scope", "label"]
    return {"busi": Numbers(pd.concat([row, audit]).drop_duplicates(keys), "grouped")}


def settings(**changes) -> dict:
    return told().settings | changes


def population(columns, **values) -> pd.DataFrame:
    """Return one row of a table with these `columns`, of SSF with all images."""
    row = {"dataset": "busi", "backbone": "resnet50", "method": "ssf", "fraction": 1.0} | values
    return pd.DataFrame([row]).reindex(columns=columns)


def weighted(how: str) -> dict:
    return settings(recipe=told().settings["recipe"] | {"class_weights": how})


def asked(**recipe) -> list[dict]:
    return [RECORD | {"asked": RECORD["asked"] | {"recipe": recipe}}]


OTHER = {  # what is changed of the records, and what the answer then says
    "Goal": ({"runs": told().runs.query("method in ('full', 'ssf')")}, "compare 1 PEFT method with"),
    "Sources of data": ({"datasets": {"busi": replace(registry.load("busi"), citation="Doe 2020")}}, "Doe 2020"),
    "Images used": ({"audits": counted("images", "all", 1234)}, "1,234 images; not used, or in doubt: none"),
    "Preparation": ({"settings": settings(image_size=96)}, "96 pixels wide"),
    "Subsets": ({"runs": told().runs.replace({"fraction": {0.1: 0.3}})}, "30 %, 100 %"),
    "Contradicting labels": ({"audits": counted("contradicting_pairs", "all", 7)}, "7 of 31 pairs"),
    "Partitions": ({"audits": counted("images", "validation", 55, "grouped")}, "55 for validation"),
    "Separation": ({"audits": counted("leaked_images", "train-test", 3, "grouped")}, "3 of 0 test images"),
    "Size of the test set": ({"audits": counted("images", "test", 99, "grouped")}, "99 test images"),
    "Networks": ({"runs": told().runs.assign(total_parameters=7e6)}, "resnet50, 7,000,000 parameters"),
    "Software and hardware": ({"records": recorded(packages={"timm": "9.9"})}, "Python 3.11.7, timm 9.9; on AMD EPYC"),
    "Initialisation": (
        {"runs": told().runs.assign(backbone="vit_base_patch16_224.mae")},
        "vit_base_patch16_224.mae, self-supervised pretraining",
    ),
    "Training": ({"records": asked(epochs=77)}, "epochs: 77"),
    "Selection": (
        {"settings": settings(tuning=told().settings["tuning"] | {"trials": 41})},
        "rate of 41 trials between",
    ),
    "Rare classes": (
        {"settings": weighted("balanced"), "audits": counted("images", "all", 78, label="malignant")},
        "rarest class malignant, 10.0 % of the images; rare classes weigh more in the loss",
    ),
    "Output": (
        {"datasets": {"busi": replace(BUSI, labels="ordinal", classes=tuple(BUSI.counts))}},
        "a probability of each grade by softmax",
    ),
    "Metrics": ({"scores": told().scores.assign(metric="auroc")}, "AUROC"),
    "Uncertainty": ({"runs": told().runs.query("seed < 2")}, "95 % intervals of 8 scores; 2 seeds"),
    "Internal test": ({"runs": told().runs.query("seed < 2")}, "by each of 16 runs"),
    "External test": (
        {"external": population(EXTERNAL_COLUMNS, other="hospital", n_images=200, n_clusters=150)},
        "busi, tested on hospital: 200 images of 150 clusters",
    ),
    "Flow": ({"audits": counted("groups", "all", 456)}, "780 images of 456 groups"),
    "Subgroups": (
        {"subgroups": population(SUBGROUP_COLUMNS, attribute="sex", subgroup="f", n_images=1200)},
        "test images of busi by sex: f 1,200",
    ),
    "Performance": ({"scores": told().scores.assign(mean=0.123)}, "micro-F1 at best 0.123 [0.600, 0.900]"),
    "Mistakes": (
        {"confusions": population(CONFUSION_COLUMNS, label="malignant", predicted="benign", images=3, share=0.25)},
        "resnet50 (SSF): most often malignant is taken for benign, 25.0 % of its test images",
    ),
    "Limitations": ({"limitations": ["One.", "Two."]}, "2 sentences under Limitations"),
    "Protocol": ({"records": recorded(study="abcdef0123456789")}, "SHA-256 abcdef012345"),
    "Code": ({"records": recorded(commit="fedcba9876543210")}, "commit fedcba987654"),
    "Access to the data": ({"datasets": {"busi": replace(registry.load("busi"), licence="CC0")}}, "licence: CC0"),
}


def test_every_answer_has_a_case():
    assert [entry.topic for entry in ENTRIES] == list(OTHER)


@pytest.mark.parametrize("topic", OTHER)
def test_another_record_is_another_answer(topic):
    changes, words = OTHER[topic]
    assert words not in answers(told()).get(topic, "")
    assert words in answers(told(**changes))[topic]


def test_the_best_score_is_that_of_the_primary_metric_and_its_direction():
    scores = told().scores.assign(metric="mae")
    known = told(scores=scores, settings=settings(primary_metric="mae"))
    assert "mean absolute error at best 0.500 [0.600, 0.900] (Linear probing)" in answers(known)["Performance"]
    assert "Performance" not in answers(told(scores=scores))


def test_the_mistake_that_is_told_is_the_most_frequent_one_of_the_best_method():
    rows = [("ssf", "benign", "normal", 0.3), ("ssf", "normal", "benign", 0.1), ("ssf", "benign", "benign", 0.7)]
    rows += [("full", "malignant", "benign", 0.9)]
    tables = [
        population(CONFUSION_COLUMNS, method=method, label=label, predicted=predicted, share=share)
        for method, label, predicted, share in rows
    ]
    table = pd.concat(tables, ignore_index=True)
    assert answers(told(confusions=table))["Mistakes"].endswith(
        "(SSF): most often benign is taken for normal, 30.0 % of its test images"
    )


def test_every_item_is_answered_or_left_to_the_authors():
    content = reported(told())
    for column, items in (("claim", CLAIM), ("tripod", TRIPOD)):
        answered = {number for row in content["rows"] for number in row[column].split(", ")}
        left = {entry.split(" ")[0] for entry in content[column].split(", ")}
        assert {number for number in answered | left if number in map(str, items)} == set(map(str, items))
        assert not answered & left
    assert (len(CLAIM), len(TRIPOD)) == (44, 52)  # as published


def test_without_records_nothing_is_answered():
    runs = told().runs.iloc[:0]
    nothing = told(runs=runs, scores=told().scores.iloc[:0], audits={}, records=[], limitations=[])
    assert answers(nothing).keys() == {"Preparation"}  # which the settings tell
    assert "25 training" in reported(nothing)["claim"]
    assert "18f code sharing" in reported(nothing)["tripod"]


def test_methods_have_the_source_that_their_records_name():
    content = findings(evidence(), [RECORD])
    assert content["methods"]["classification"] == [
        {"label": "SSF", "family": "additive", "source": "arXiv 2210.08823"}
    ]
    assert content["methods"]["text-to-image"] == []
    assert "Code at commit 09bb36943fdb" in [row["answer"] for row in content["checklists"]["rows"]]
