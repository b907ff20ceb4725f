"""Blocks: when ranks over them can be tested, which is asked before and after the runs."""

from itertools import product

import pandas as pd
import pytest

from medpeft.base.runs import Run
from medpeft.statistics.blocks import ranks_can_be_tested, shortage
from medpeft.statistics.rank import rank


def grid(datasets, backbones, methods, fractions=("1",)):
    return [Run(*cell, "0") for cell in product(datasets, backbones, methods, fractions)]


@pytest.mark.parametrize(
    ("runs", "enough"),
    [
        (grid(["busi", "ham10000"], ["resnet50"], ["full", "ssf", "bias"]), True),
        (grid(["busi"], ["resnet50", "resnet18"], ["full", "ssf", "bias"]), True),
        (grid(["busi"], ["resnet50"], ["full", "ssf", "bias"]), False),
        (grid(["busi"], ["resnet50", "vit_small"], ["full", "ssf", "bias"]), False),
        (grid(["busi", "ham10000"], ["resnet50"], ["full", "ssf"]), False),
        (grid(["busi"], ["resnet50"], ["full", "ssf", "bias"], ["0.1", "1"]), False),
        (grid(["busi", "smdg"], ["resnet50"], ["full", "ssf"]) + grid(["busi"], ["resnet50"], ["bias"]), False),
        ([], False),
    ],
)
def test_what_is_expected_of_a_study_is_what_its_scores_allow(runs, enough):
    assert ranks_can_be_tested(runs) == enough
    cells = [run.cell | {"metric": "f1_micro", "mean": 0.1 * place} for place, run in enumerate(runs)]
    _, tests = rank(pd.DataFrame(cells, columns=["dataset", "backbone", "method", "fraction", "metric", "mean"]))
    assert (tests["status"] == "ok").any() == enough


def test_a_shortage_says_what_is_short():
    assert shortage(2, 3) is None
    assert shortage(1, 3) == "too few blocks for a test: 1"
    assert shortage(2, 2) == "too few methods for a test: 2"
