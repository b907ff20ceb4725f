"""Ranks and tests over blocks: scipy on the same numbers, tables worked by hand, studies with too little to test."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from toy_runs import scores_of

from medpeft.statistics.rank import critical_difference, friedman, permutation_p_value, rank

REFERENCE = Path(__file__).parents[2] / "paper" / "reference"


def published(name):
    table = pd.read_csv(REFERENCE / f"{name}.csv").rename(columns={"f1": "mean"})
    return table.assign(metric="f1_micro", fraction=1.0)


def test_ranks_of_a_hand_worked_table():
    ranks, tests = rank(
        scores_of(
            a={"full": 0.7, "ssf": 0.9, "bias": 0.8},
            b={"full": 0.8, "ssf": 0.8, "bias": 0.5},
            c={"full": 0.6, "ssf": 0.7, "bias": 0.8},
        )
    )
    assert dict(zip(ranks["method"], ranks["mean_rank"], strict=True)) == pytest.approx(
        {"ssf": (1 + 1.5 + 2) / 3, "bias": (2 + 3 + 1) / 3, "full": (3 + 1.5 + 3) / 3}
    )
    assert tests.loc[0, ["methods", "blocks", "left_out", "status"]].to_list() == [3, 3, 0, "ok"]
    # Each of the 3! orders of the untied rows is as likely: with ties the variance shrinks, scipy corrects for it.
    expected = stats.friedmanchisquare([0.7, 0.8, 0.6], [0.9, 0.8, 0.7], [0.8, 0.5, 0.8])
    assert tests.loc[0, "chi_square"] == pytest.approx(expected.statistic)
    assert tests.loc[0, "p_value"] == pytest.approx(expected.pvalue)


@pytest.mark.parametrize(("name", "count"), [("table3", 15), ("table5", 10)])
def test_published_tables_are_ranked_as_scipy_does(name, count):
    table = published(name)
    wide = table.pivot(index=["dataset", "backbone"], columns="method", values="mean")
    ranks, tests = rank(table)
    expected = stats.rankdata(-wide.round(12).to_numpy(), axis=1).mean(axis=0)
    assert ranks.set_index("method")["mean_rank"].loc[wide.columns].to_list() == pytest.approx(list(expected))
    test = tests.iloc[0]
    chi_square, p_value = stats.friedmanchisquare(*wide.to_numpy().T)
    assert (test["blocks"], test["chi_square"]) == (count, pytest.approx(chi_square))
    assert test["p_value"] == pytest.approx(p_value)
    assert test["f"] == pytest.approx((count - 1) * chi_square / (count * 7 - chi_square))
    assert test["f_p_value"] == pytest.approx(stats.f.sf(test["f"], 7, 7 * (count - 1)))
    wilcoxon = stats.wilcoxon((wide["lora"] - wide["full"]).round(12)).pvalue
    assert ranks.set_index("method").at["lora", "p_value"] == pytest.approx(wilcoxon)


def test_on_published_numbers_the_claimed_methods_come_first():
    assert rank(published("table2"))[0]["method"].iloc[0] == "ssf"
    assert rank(published("table3"))[0]["method"].iloc[0] == "lora"


def test_wilcoxon_is_exact_and_adjusted():
    """Seven blocks that all favour ssf: the two-sided exact p is 2 / 2^7; Holm doubles the smaller of two."""
    gains = np.arange(1, 8) / 100
    blocks = {f"d{i}": {"full": 0.5, "ssf": 0.5 + gain, "bias": 0.5 - gain / 3} for i, gain in enumerate(gains)}
    ranks = rank(scores_of(**blocks))[0].set_index("method")
    assert ranks.at["ssf", "p_value"] == pytest.approx(2 / 2**7)
    assert ranks.at["ssf", "p_adjusted"] == pytest.approx(4 / 2**7)
    assert np.isnan(ranks.at["full", "p_value"])


@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (6, 2.850), (8, 3.031), (10, 3.164)])
def test_critical_difference_agrees_with_the_table_of_demsar(methods, q):
    assert critical_difference(methods, 14) == pytest.approx(q * np.sqrt(methods * (methods + 1) / 84), abs=2e-3)


def test_permutation_p_value_is_that_of_all_permutations():
    ranks = np.array([[1.0, 2, 3], [1, 3, 2], [1, 2, 3]])
    far = [np.square(np.sum(rows, axis=0)).sum() for rows in product(*(permutations(row) for row in ranks))]
    exact = np.mean(np.array(far) >= np.square(ranks.sum(axis=0)).sum())
    assert permutation_p_value(ranks) == pytest.approx(exact, abs=0.02)


def test_blocks_that_all_agree_have_no_f():
    result = friedman(pd.DataFrame([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]]))
    assert np.isnan(result["f"])
    assert result["permutation_p_value"] == pytest.approx(1 / 6, abs=0.02)  # a third row order of six, twice


@pytest.mark.parametrize(
    ("blocks", "status"),
    [
        ({"a": {"full": 0.7, "ssf": 0.9, "bias": 0.8}}, "too few blocks for a test: 1"),
        ({name: {"full": 0.7, "ssf": 0.9} for name in "ab"}, "too few methods for a test: 2"),
        ({name: dict.fromkeys(("full", "ssf", "bias"), 0.7) for name in "ab"}, "all methods tie"),
        ({name: dict.fromkeys(("full", "ssf", "bias"), np.nan) for name in "ab"}, "too few blocks for a test: 0"),
    ],
)
def test_what_cannot_be_tested_says_why(blocks, status):
    ranks, tests = rank(scores_of(**blocks))
    assert status in tests.loc[0, "status"]
    assert ranks["p_value"].isna().all()
    assert len(ranks) == (0 if status.endswith("0") else len(next(iter(blocks.values()))))


def test_a_block_that_lacks_a_method_is_left_out_and_counted():
    whole = {"full": 0.7, "ssf": 0.9, "bias": 0.8}
    ranks, tests = rank(scores_of(a=whole, b=whole, c={"full": 0.9, "ssf": 0.1}, d=whole | {"bias": np.nan}))
    assert tests.loc[0, ["blocks", "left_out"]].to_list() == [2, 2]
    assert ranks.set_index("method").at["ssf", "mean_rank"] == 1


def test_a_method_that_failed_everywhere_is_left_out():
    ranks, tests = rank(
        scores_of(a={"full": 0.7, "ssf": 0.9, "bias": np.nan}, b={"full": 0.7, "ssf": 0.6, "bias": np.nan})
    )
    assert set(ranks["method"]) == {"full", "ssf"}
    assert tests.loc[0, "left_out"] == 0


def test_without_full_fine_tuning_there_are_ranks_and_no_wilcoxon():
    ranks, tests = rank(scores_of(**{name: {"tsa": 0.7, "ssf": 0.9, "bias": 0.8} for name in "ab"}))
    assert tests.loc[0, "status"] == "ok"
    assert ranks["p_value"].isna().all()
