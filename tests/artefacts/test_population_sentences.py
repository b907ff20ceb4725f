"""Sentences on subgroups and other datasets say what the tables show, and no more: other numbers, other words."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_paper import SETTINGS, evidence

from medpeft.artefacts.findings import findings
from medpeft.statistics.populations.compare_subgroups import GAP_COLUMNS
from medpeft.statistics.populations.external_validation import DIFFERENCE_COLUMNS, EXTERNAL_COLUMNS

CELL = {"dataset": "busi", "backbone": "resnet50", "fraction": 1.0, "metric": "f1_micro"}
TITLE = "BUSI breast ultrasound"


def gaps(**methods) -> pd.DataFrame:
    """Return gaps by sex, given as `method=(gap, adjusted p)`."""
    ends = {"attribute": "sex", "best": "f", "worst": "m", "low": 0.05, "high": 0.35, "chance_gap": 0.04}
    rows = [CELL | ends | {"method": method, "gap": gap, "p_adjusted": p} for method, (gap, p) in methods.items()]
    return pd.DataFrame(rows).reindex(columns=GAP_COLUMNS)


def drops(**methods) -> pd.DataFrame:
    """Return drops on another dataset, given as `method=(drop, adjusted p)`."""
    fixed = CELL | {"other": "hospital", "internal": 0.9, "drop_low": -0.1, "drop_high": 0.3}
    rows = [
        fixed | {"method": method, "drop": drop, "external": 0.9 - drop, "p_adjusted": p}
        for method, (drop, p) in methods.items()
    ]
    return pd.DataFrame(rows).reindex(columns=EXTERNAL_COLUMNS)


def gains(**methods) -> pd.DataFrame:
    """Return differences from full fine-tuning there, given as `method=(difference, adjusted p)`."""
    rows = [
        CELL | {"other": "hospital", "method": method, "difference": difference, "p_adjusted": p}
        for method, (difference, p) in methods.items()
    ]
    return pd.DataFrame(rows).reindex(columns=DIFFERENCE_COLUMNS)


def said(**tables) -> list[str]:
    return findings(replace(evidence(), **tables))["populations"]


LARGEST = "is 0.200 [0.050, 0.350] (SSF; worst: m, best: f), where subgroups that are alike would differ by 0.040."


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (
            {"ssf": (0.2, 0.01), "full": (0.3, 0.5)},
            f"A gap in micro-F1 between subgroups is shown for 1 of 2 methods; the largest of these {LARGEST}",
        ),
        (
            {"ssf": (0.2, 0.05), "full": (0.1, 0.5)},
            f"No gap in micro-F1 between subgroups is shown. The largest of 2 methods {LARGEST}",
        ),
        (
            {"ssf": (0.2, np.nan)},
            f"With one seed no gap in micro-F1 between subgroups is tested. The largest of 1 method {LARGEST}",
        ),
    ],
    ids=["one shown, not the largest", "none shown", "one seed"],
)
def test_a_gap_is_told_where_it_is_shown(methods, words):
    assert said(gaps=gaps(**methods)) == [f"{TITLE} by sex. {words}"]


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (
            {"ssf": (0.2, 0.01), "full": (0.1, 0.5)},
            "The micro-F1 is shown to be worse there for 1 of 2 methods. The largest drop is +0.200",
        ),
        ({"ssf": (0.2, 0.5), "full": (0.1, 0.5)}, "The micro-F1 is not shown to be worse there. The largest drop"),
        (
            {"ssf": (-0.2, 0.01), "full": (0.1, 0.5)},
            "The micro-F1 is not shown to be worse there, and better for 1. The largest drop is +0.100",
        ),
        ({"ssf": (0.2, np.nan)}, "The micro-F1 is not tested there, for lack of a second seed. The largest drop"),
        ({"ssf": (np.nan, np.nan)}, "No micro-F1 is defined there."),
    ],
    ids=["worse", "undecided", "better", "one seed", "not defined"],
)
def test_a_drop_is_told_where_it_is_shown(methods, words):
    (sentence,) = said(external=drops(**methods))
    assert sentence.startswith(f"{TITLE}, tested on hospital. {words}")


def test_the_largest_drop_has_both_scores():
    (sentence,) = said(external=drops(ssf=(0.2, 0.01), full=(0.1, 0.5)))
    assert sentence.endswith("(SSF: 0.900 on the own test set, 0.700 on the other dataset).")


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"ssf": (0.1, 0.01), "bias": (-0.1, 0.01)}, "better: SSF; worse: Bias; nothing is shown of none."),
        ({"ssf": (0.1, 0.2), "bias": (-0.1, np.nan)}, "better: none; worse: none; nothing is shown of Bias, SSF."),
    ],
)
def test_methods_differ_there_only_where_it_is_shown(methods, words):
    (sentence,) = said(external=drops(ssf=(0.2, 0.01)), external_differences=gains(**methods))
    assert sentence.endswith(f" Against full fine-tuning on these images (resnet50), {words}")


def test_where_less_is_better_a_lower_score_is_the_better_one():
    tables = {"external": drops(ssf=(0.2, 0.01)), "external_differences": gains(ssf=(-0.1, 0.01))}
    tables = {name: table.assign(metric="mae") for name, table in tables.items()}
    (sentence,) = said(**tables, settings=SETTINGS | {"primary_metric": "mae"})
    assert "The mean absolute error is shown to be worse there" in sentence
    assert "better: SSF; worse: none" in sentence


def test_several_networks_are_named_and_other_metrics_left_to_the_tables():
    other = gaps(ssf=(0.4, 0.01)).assign(backbone="vit")
    table = pd.concat([gaps(ssf=(0.2, 0.01)), other, gaps(full=(0.9, 0.01)).assign(metric="auroc")], ignore_index=True)
    (sentence,) = said(gaps=table)
    assert "shown for 2 of 2 pairs of network and method; the largest of these is 0.400" in sentence
    assert "(vit, SSF; worst" in sentence
    assert said() == []
