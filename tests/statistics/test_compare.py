"""Scores of cells and their comparisons: a better method is found, an equal one and a lucky seed are not."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score
from toy_runs import QUESTION, guesses, results, runs_of, three_methods

from medpeft.base.errors import UserError
from medpeft.base.files import write_table
from medpeft.statistics.collect import runs_in
from medpeft.statistics.compare import Question, compare, reader
from medpeft.statistics.metrics import METRICS


@pytest.fixture(scope="module")
def tables():
    return three_methods()


def test_scores_hold_mean_spread_and_an_interval_around_the_mean(tables):
    scores, _ = results(tables)[:2]
    row = scores.set_index(["method", "metric"]).loc["full", "f1_macro"]
    each = [f1_score(tables["full", seed]["label"], guesses(tables["full", seed]), average="macro") for seed in (0, 1)]
    assert row["mean"] == pytest.approx(np.mean(each))
    assert row["std"] == pytest.approx(np.std(each, ddof=1))
    assert row["low"] < row["mean"] < row["high"]


def test_a_better_method_is_found_and_an_equal_one_is_not(tables):
    same = {("bias", seed): tables["full", seed] for seed in (0, 1)}
    _, comparisons = results(tables | same)[:2]
    micro = comparisons[comparisons["metric"] == "f1_micro"].set_index("method")
    assert set(micro.index) == {"ssf", "bias"}
    assert micro.at["ssf", "low"] > 0
    assert micro.at["ssf", "outcome"] == "better"
    assert micro.at["ssf", "seeds_won"] == micro.at["ssf", "seeds_compared"] == 2
    assert micro.at["bias", "difference"] == 0
    assert micro.at["bias", "p_value"] == 1
    assert micro.at["bias", "seeds_won"] == 0


def test_the_same_runs_give_the_same_numbers(tables):
    for first, second in zip(results(tables), results(tables), strict=True):
        pd.testing.assert_frame_equal(first, second)


def test_a_failed_run_is_counted_and_left_out(tables):
    empty = tables["ssf", 0].iloc[:0][["image_id", "cluster", "label"]]
    scores, comparisons = results(tables | {("ssf", 1): empty, ("bias", 0): empty, ("bias", 1): empty})[:2]
    by_cell = scores.set_index(["method", "metric"])
    assert tuple(by_cell.loc[("ssf", "f1_micro"), ["n_runs", "n_failed"]]) == (2, 1)
    assert np.isnan(by_cell.at[("bias", "f1_micro"), "mean"])
    assert set(comparisons["method"]) == {"ssf"}


def test_without_full_fine_tuning_there_is_nothing_to_compare(tables):
    only = {key: table for key, table in tables.items() if key[0] == "ssf"}
    found = results(only)
    assert found.comparisons.empty
    assert found.crossovers.empty
    assert found.overall.empty


def test_runs_on_different_test_images_are_refused(tables):
    with pytest.raises(UserError, match="do not share one test set"):
        results(tables | {("ssf", 1): tables["ssf", 1].iloc[1:]})


def test_a_gain_that_one_seed_makes_is_undecided(tables):
    """Where training again turns a gain into none, more test images do not make it sure."""
    alike = {("bias", seed): tables["full", seed] for seed in (0, 1)}
    _, both = results(tables | {("bias", seed): tables["ssf", seed] for seed in (0, 1)})[:2]
    _, one = results(tables | alike | {("bias", 1): tables["ssf", 1]})[:2]
    micro = [table[(table["metric"] == "f1_micro") & (table["method"] == "bias")].iloc[0] for table in (both, one)]
    assert micro[0]["p_adjusted"] < 0.2 < micro[1]["p_adjusted"]
    assert micro[1]["outcome"] == "undecided"
    assert micro[1]["seeds_won"] == 1


def test_seeds_that_failed_on_one_side_are_left_out_on_both(tables):
    empty = tables["full", 0].iloc[:0]
    _, comparisons = results(tables | {("full", 0): empty})[:2]
    row = comparisons[(comparisons["metric"] == "f1_micro") & (comparisons["method"] == "ssf")].iloc[0]
    accuracy = [float((guesses(tables[method, 1]) == tables[method, 1]["label"]).mean()) for method in ("ssf", "full")]
    assert row["seeds_compared"] == 1
    assert row["difference"] == pytest.approx(accuracy[0] - accuracy[1])


def test_another_metric_has_intervals_and_decides_nothing(tables):
    macro = results(tables).comparisons.query("metric == 'f1_macro'")
    assert macro[["difference", "low", "high"]].notna().all(axis=None)
    assert macro[["p_value", "p_adjusted", "outcome", "detectable"]].isna().all(axis=None)
    assert not macro["primary"].any()


def test_every_score_that_validation_need_not_choose_has_an_interval(tables):
    scores = results(tables).scores.set_index(["method", "metric"])
    bounded = {metric for _, metric in scores.index[scores["low"].notna()]}
    assert bounded == {
        name
        for name in scores.index.get_level_values("metric")
        if not METRICS[name].needs_validation and "multi-class" in METRICS[name].kinds
    }
    for method in ("full", "ssf"):
        each = [tables[method, seed] for seed in (0, 1)]
        areas = [roc_auc_score(one["label"], one.filter(like="probability_"), multi_class="ovr") for one in each]
        low, high = scores.loc[(method, "auroc"), ["low", "high"]]
        assert 0 < low < np.mean(areas) < high < 1


def test_only_the_primary_metric_and_those_that_say_so_are_compared(tables):
    assert set(results(tables).comparisons["metric"]) == {"f1_micro", "f1_macro"}


@pytest.mark.parametrize("primary", ["accuracy", "auroc", "brier"])
def test_another_primary_metric_is_shown_and_judged_in_its_own_direction(tables, primary):
    runs = runs_of(tables).assign(accuracy=0.5)
    found = compare(runs, lambda run: tables[run.method, int(run.seed)], Question(primary, margin=0.02))
    assert found.scores.query("metric == @primary")[["mean", "low", "high"]].notna().all(axis=None)
    decided = found.comparisons.query("primary").set_index("method")
    assert set(decided["metric"]) == {primary}
    better = decided.loc["ssf"]  # whose networks see more
    assert (better["difference"] < 0) == (primary == "brier")
    assert better["p_not_inferior"] < 1  # that of a loss
    assert better["seeds_won"] == 2


def test_with_one_seed_nothing_is_tested_and_the_interval_is_over_images(tables):
    found = results({key: table for key, table in tables.items() if key[1] == 0})
    assert found.comparisons[["low", "high", "p_value", "p_adjusted", "detectable"]].isna().all(axis=None)
    assert set(found.comparisons.query("primary")["outcome"]) == {"undecided"}
    assert found.scores.query("metric == 'f1_micro'")[["low", "high"]].notna().all(axis=None)


def test_seeds_with_splits_of_their_own_are_tested_over_them(tables):
    own = {key: table.assign(image_id=table["image_id"] + f"-{key[1]}") for key, table in tables.items()}
    with pytest.raises(UserError, match="do not share one test set"):
        results(own)
    question = QUESTION._replace(own_splits=True)
    found = compare(runs_of(own), lambda run: own[run.method, int(run.seed)], question).comparisons
    row = found.query("primary and method == 'ssf'").iloc[0]
    gains = [np.mean(guesses(own["ssf", s]) == own["ssf", s]["label"]) for s in (0, 1)]
    gains = np.array(gains) - [np.mean(guesses(own["full", s]) == own["full", s]["label"]) for s in (0, 1)]
    variance = gains.var(ddof=1) * (1 / 2 + 40 / 10)
    assert row["high"] - row["low"] == pytest.approx(2 * stats.t.ppf(0.975, 1) * np.sqrt(variance))


def test_the_reader_finds_the_predictions_of_a_run(tables, tmp_path):
    runs = runs_in(runs_of(tables, fraction=0.1))
    assert [(run.dataset, run.backbone, run.fraction) for run in runs] == 6 * [("busi", "resnet50", "0.1")]
    for run in runs:
        write_table(tmp_path / run.path / "predictions.csv", tables[run.method, int(run.seed)])
    read = reader(tmp_path / run.path / "predictions.csv" for run in runs)
    for run in runs:
        pd.testing.assert_frame_equal(read(run), tables[run.method, int(run.seed)], check_dtype=False)
