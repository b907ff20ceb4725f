"""Ranks and tests over datasets: scipy on the same numbers, tables worked by hand, studies with too little to test."""

from functools import partial
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from toy_runs import scores_of

from medpeft.statistics.inference import Estimate
from medpeft.statistics.rank import critical_difference, friedman, permutation_p_value, rank

ranked = partial(rank, primary="f1_micro")
REFERENCE = Path(__file__).parents[2] / "paper" / "reference"


def published(name):
    table = pd.read_csv(REFERENCE / f"{name}.csv").rename(columns={"f1": "mean"})
    return table.assign(metric="f1_micro", fraction=1.0)


def test_ranks_of_a_hand_worked_table():
    ranks, tests = ranked(
        scores_of(
            a={"full": 0.7, "ssf": 0.9, "bias": 0.8},
            b={"full": 0.8, "ssf": 0.8, "bias": 0.5},
            c={"full": 0.6, "ssf": 0.7, "bias": 0.8},
        )
    )
    assert dict(zip(ranks["method"], ranks["mean_rank"], strict=True)) == pytest.approx(
        {"ssf": (1 + 1.5 + 2) / 3, "bias": (2 + 3 + 1) / 3, "full": (3 + 1.5 + 3) / 3}
    )
    assert tests.loc[0, ["methods", "datasets", "left_out", "status"]].to_list() == [3, 3, 0, "ok"]
    # Each of the 3! orders of the untied rows is as likely: with ties the variance shrinks, scipy corrects for it.
    expected = stats.friedmanchisquare([0.7, 0.8, 0.6], [0.9, 0.8, 0.7], [0.8, 0.5, 0.8])
    assert tests.loc[0, "chi_square"] == pytest.approx(expected.statistic)
    assert tests.loc[0, "p_value"] == pytest.approx(expected.pvalue)


def test_the_least_of_a_score_ranks_first_where_less_is_better():
    table = scores_of(a={"full": 0.3, "ssf": 0.1, "bias": 0.2}, b={"full": 0.2, "ssf": 0.2, "bias": 0.5})
    ranks, tests = rank(table.assign(metric="brier"), "brier")
    found = ranks.set_index("method")
    assert found["mean_rank"].to_dict() == {"ssf": 1.25, "full": 2.25, "bias": 2.5}
    assert found["score"].to_dict() == pytest.approx({"ssf": 0.15, "full": 0.25, "bias": 0.35})
    assert set(tests["metric"]) == {"brier"}


@pytest.mark.parametrize(("name", "backbones"), [("table3", 3), ("table5", 2)])
def test_published_tables_are_ranked_over_their_five_datasets_as_scipy_does(name, backbones):
    table = published(name)
    wide = table.pivot_table(index="dataset", columns="method", values="mean").round(12)
    assert len(table) == wide.size * backbones
    ranks, tests = ranked(table)
    expected = stats.rankdata(-wide.to_numpy(), axis=1)
    by_method = ranks.set_index("method").loc[wide.columns]
    assert by_method["mean_rank"].to_list() == pytest.approx(list(expected.mean(axis=0)))
    test = tests.iloc[0]
    chi_square, p_value = stats.friedmanchisquare(*wide.to_numpy().T)
    assert (test["datasets"], test["chi_square"]) == (5, pytest.approx(chi_square))
    assert test["p_value"] == pytest.approx(p_value)
    assert test["f"] == pytest.approx(4 * chi_square / (5 * 7 - chi_square))
    assert test["f_p_value"] == pytest.approx(stats.f.sf(test["f"], 7, 28))
    assert by_method["p_value"].isna().all()  # five datasets: the smallest is .0625
    without = [np.delete(expected, place, axis=0).mean(axis=0) for place in range(5)]
    assert by_method["least_without_one"].to_list() == pytest.approx(list(np.min(without, axis=0)))


def test_the_published_verdict_is_the_same_where_backbones_are_averaged_first():
    table = published("table3")
    averaged = table.groupby(["dataset", "method", "metric", "fraction"])["mean"].mean().reset_index()
    averaged["backbone"] = table["backbone"].iloc[0]
    for ours, theirs in zip(ranked(table), ranked(averaged), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)


def test_intervals_of_ranks_cover_the_mean_rank_over_all_datasets():
    """Datasets are drawn of which the mean rank is known; .95 of the intervals hold it."""
    random = np.random.default_rng(0)
    skill = np.array([0.0, 0.3, 0.6, 0.9])
    true = stats.rankdata(-(skill + random.normal(size=(200_000, 4))), axis=1).mean(axis=0)
    covered = []
    for _ in range(400):
        ranks = stats.rankdata(-(skill + random.normal(size=(6, 4))), axis=1)
        intervals = [Estimate.of_units(ranks[:, method]).interval((1, 4)) for method in range(4)]
        covered += [low <= mean <= high for (low, high), mean in zip(intervals, true, strict=True)]
    assert 0.93 <= np.mean(covered) <= 0.985  # ranks are few whole numbers


def test_on_published_numbers_the_claimed_methods_come_first():
    assert ranked(published("table2"))[0]["method"].iloc[0] == "ssf"
    assert ranked(published("table3"))[0]["method"].iloc[0] == "lora"


def test_wilcoxon_is_exact_and_adjusted():
    """Seven blocks that all favour ssf: the two-sided exact p is 2 / 2^7; Holm doubles the smaller of two."""
    gains = np.arange(1, 8) / 100
    blocks = {f"d{i}": {"full": 0.5, "ssf": 0.5 + gain, "bias": 0.5 - gain / 3} for i, gain in enumerate(gains)}
    ranks = ranked(scores_of(**blocks))[0].set_index("method")
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


def test_datasets_that_all_agree_have_no_f():
    result = friedman(pd.DataFrame([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4], [0.6, 0.5, 0.4]]))
    assert np.isnan(result["f"])
    assert result["permutation_p_value"] == pytest.approx(1 / 36, abs=0.01)  # one of six orders, thrice
    assert result["least_p_value"] == pytest.approx(1 / 36)


@pytest.mark.parametrize(
    ("blocks", "status"),
    [
        ({"a": {"full": 0.7, "ssf": 0.9, "bias": 0.8}}, "too few datasets to rank over: 1"),
        ({name: {"full": 0.7, "ssf": 0.9} for name in "ab"}, "too few methods to rank: 2"),
        ({name: dict.fromkeys(("full", "ssf", "bias"), 0.7) for name in "abc"}, "all methods tie"),
        ({name: {"full": 0.7, "ssf": 0.9, "bias": 0.8} for name in "ab"}, "3 methods on 2 datasets cannot differ"),
        ({name: dict.fromkeys(("full", "ssf", "bias"), np.nan) for name in "ab"}, "too few datasets to rank over: 0"),
    ],
)
def test_what_cannot_be_tested_says_why(blocks, status):
    ranks, tests = ranked(scores_of(**blocks))
    assert status in tests.loc[0, "status"]
    assert ranks["p_value"].isna().all()
    assert len(ranks) == (0 if status.endswith("0") else len(next(iter(blocks.values()))))


def test_a_dataset_that_lacks_a_method_is_left_out_and_counted():
    whole = {"full": 0.7, "ssf": 0.9, "bias": 0.8}
    ranks, tests = ranked(scores_of(a=whole, b=whole, e=whole, c={"full": 0.9, "ssf": 0.1}, d=whole | {"bias": np.nan}))
    assert tests.loc[0, ["datasets", "left_out"]].to_list() == [3, 2]
    assert ranks.set_index("method").at["ssf", "mean_rank"] == 1


def test_a_method_that_failed_everywhere_is_left_out():
    ranks, tests = ranked(
        scores_of(a={"full": 0.7, "ssf": 0.9, "bias": np.nan}, b={"full": 0.7, "ssf": 0.6, "bias": np.nan})
    )
    assert set(ranks["method"]) == {"full", "ssf"}
    assert tests.loc[0, "left_out"] == 0


def test_without_full_fine_tuning_there_are_ranks_and_no_wilcoxon():
    ranks, tests = ranked(scores_of(**{name: {"tsa": 0.7, "ssf": 0.9, "bias": 0.8} for name in "abc"}))
    assert tests.loc[0, "status"] == "ok"
    assert ranks["p_value"].isna().all()


def test_a_critical_difference_that_no_ranks_can_reach_is_none():
    """Eight methods on two datasets: 7.42, where 7 is the most."""
    assert critical_difference(8, 2) == pytest.approx(7.42, abs=0.01)
    random = np.random.default_rng(0)
    assert np.isnan(friedman(pd.DataFrame(random.random((2, 8))))["critical_difference"])
    assert friedman(pd.DataFrame(random.random((5, 8))))["critical_difference"] == pytest.approx(4.70, abs=0.01)
