"""Datasets: when ranks over them can be told and tested, which is asked before and after the runs."""

from itertools import product

import pandas as pd
import pytest
from scipy import stats

from medpeft.base.runs import Run
from medpeft.statistics.blocks import cannot_reject, least_friedman_p, least_wilcoxon_p, ranks_can_be_told, shortage
from medpeft.statistics.rank import rank


def grid(datasets, backbones, methods, fractions=("1",)):
    return [Run(*cell, "0") for cell in product(datasets, backbones, methods, fractions)]


@pytest.mark.parametrize(
    ("runs", "enough"),
    [
        (grid(["busi", "ham10000"], ["resnet50"], ["full", "ssf", "bias"]), True),
        (grid(["busi"], ["resnet50", "resnet18"], ["full", "ssf", "bias"]), False),
        (grid(["busi"], ["resnet50"], ["full", "ssf", "bias"]), False),
        (grid(["busi"], ["resnet50", "vit_small"], ["full", "ssf", "bias"]), False),
        (grid(["busi", "ham10000"], ["resnet50"], ["full", "ssf"]), False),
        (grid(["busi"], ["resnet50"], ["full", "ssf", "bias"], ["0.1", "1"]), False),
        (grid(["busi", "smdg"], ["resnet50"], ["full", "ssf"]) + grid(["busi"], ["resnet50"], ["bias"]), False),
        ([], False),
    ],
)
def test_what_is_expected_of_a_study_is_what_its_scores_allow(runs, enough):
    assert ranks_can_be_told(runs) == enough
    cells = [run.cell | {"metric": "f1_micro", "mean": 0.1 * place} for place, run in enumerate(runs)]
    _, tests = rank(
        pd.DataFrame(cells, columns=["dataset", "backbone", "method", "fraction", "metric", "mean"]), "f1_micro"
    )
    assert (~tests["status"].str.startswith("too few")).any() == enough


def test_a_shortage_says_what_is_short():
    assert shortage(2, 3) is None
    assert shortage(1, 3) == "too few datasets to rank over: 1"
    assert shortage(2, 2) == "too few methods to rank: 2"


def test_a_test_that_cannot_reject_is_known_beforehand():
    assert least_wilcoxon_p(5) == pytest.approx(stats.wilcoxon([1, 2, 3, 4, 5]).pvalue)
    assert cannot_reject(least_wilcoxon_p(5))
    assert not cannot_reject(least_wilcoxon_p(6))
    assert cannot_reject(least_wilcoxon_p(6), comparisons=2)
    assert cannot_reject(least_friedman_p(2, 3))
    assert not cannot_reject(least_friedman_p(3, 3))
