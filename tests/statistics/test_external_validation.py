"""The drop from one test set to another, and how methods differ on the other one."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from toy_runs import guesses, prediction, runs_of

from medpeft.statistics.populations.external_validation import external_validation
from medpeft.statistics.populations.resampling import Predicted

SEEDS = (0, 1, 2)


def both(skill, weaker, offset=0):
    """Return the predictions of one method by seed, on the own test set and, less good, on another one."""
    own = {seed: prediction(skill, 100 + 10 * seed + offset, 150, 90) for seed in SEEDS}
    other = {seed: prediction(weaker, 500 + 10 * seed + offset, 220, 130) for seed in SEEDS}
    return own, {seed: table.assign(image_id="x" + table["image_id"]) for seed, table in other.items()}


def validated(methods, metrics=("f1_micro", "auroc")):
    """Return the tables for methods, each with its predictions on both sets by seed."""
    own, other = ({(m, s): found[place][s] for m, found in methods.items() for s in found[place]} for place in (0, 1))
    return external_validation(
        runs_of(own),
        lambda run: Predicted(own[run.method, int(run.seed)]),
        lambda run, name: Predicted(other[run.method, int(run.seed)]),
        {("busi", "hospital"): 4},
        metrics,
    )


def accuracies(tables):
    return [(guesses(table) == table["label"]).mean() for table in tables.values()]


def test_both_scores_and_their_difference_are_those_of_the_predictions():
    own, other = both(2.0, 0.8)
    row = validated({"full": (own, other)}).external.set_index("metric").loc["f1_micro"]
    assert row["internal"] == pytest.approx(np.mean(accuracies(own)))
    assert row["external"] == pytest.approx(np.mean(accuracies(other)))
    assert row["drop"] == pytest.approx(row["internal"] - row["external"])
    assert other[0]["cluster"].nunique() == 103
    assert (row["n_images"], row["n_clusters"], row["n_left_out"], row["n_runs"]) == (220, 103, 4, 3)
    assert row["drop_low"] < row["drop"] < row["drop_high"]
    assert row["p_value"] < 0.01


def test_the_variance_of_a_drop_is_the_sum_of_those_of_independent_images():
    """With one network for all seeds, the interval is that of two independent proportions."""
    own, other = prediction(1, 1, 300, 10**6), prediction(1, 2, 200, 10**6)
    row = validated({"full": ({0: own}, {0: other})}, ["f1_micro"]).external.iloc[0]
    shares = [((guesses(table) == table["label"]).mean(), len(table)) for table in (own, other)]
    error = np.sqrt(sum(share * (1 - share) / size for share, size in shares))
    reach = stats.t.ppf(0.975, 199) * error
    assert row["drop_high"] - row["drop_low"] == pytest.approx(2 * reach, rel=0.06)
    assert np.isnan(row["p_value"])


def test_methods_differ_on_the_other_dataset_seed_by_seed():
    methods = {"full": both(2.0, 0.6), "ssf": both(2.0, 2.5, offset=3)}
    found = validated(methods, ["f1_micro"])
    assert found.differences["method"].unique().tolist() == ["ssf"]
    row = found.differences.set_index("metric").loc["f1_micro"]
    gain = np.subtract(accuracies(methods["ssf"][1]), accuracies(methods["full"][1]))
    assert row["difference"] == pytest.approx(gain.mean())
    assert row["low"] < row["difference"] < row["high"]
    assert row["seeds_compared"] == 3
    assert row["p_adjusted"] < 0.05


def test_without_full_fine_tuning_there_are_no_differences_and_failed_runs_are_left_out():
    own, other = both(1, 1)
    failed = {0: own[0], 1: pd.DataFrame()}, other
    found = validated({"ssf": failed})
    assert found.differences.empty
    assert found.external["n_runs"].tolist() == [1, 1]
