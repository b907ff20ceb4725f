"""Differences over datasets: the dataset is the unit, whatever number of backbones each has."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medpeft.statistics.bootstrap import ScoredCell, SeedScores
from medpeft.statistics.overall import overall

MARGIN = 0.02


def cell(dataset, method, backbone="resnet50"):
    return ScoredCell(dataset, backbone, method, 1.0, "f1_micro")


def scores(*seeds, images=100):
    """Return the scores of seeds, the same on every resample."""
    return SeedScores(pd.DataFrame(np.tile(np.array([seeds]).T, 5), index=range(len(seeds))), images)


def study(gains, backbones=("resnet50",)):
    """Return the scores of full fine-tuning, .7 everywhere, and of ssf, which gains so much on each dataset."""
    found = {}
    for number, gain in enumerate(gains):
        for backbone in backbones:
            found[cell(f"d{number}", "full", backbone)] = scores(0.7)
            found[cell(f"d{number}", "ssf", backbone)] = scores(0.7 + gain)
    return found


def test_where_less_is_better_a_loss_is_a_gain():
    gains = [-0.01, -0.03, -0.02, -0.05]
    less = {place._replace(metric="mae"): found for place, found in study(gains).items()}
    (row,) = overall(less, MARGIN).itertuples()
    (mirrored,) = overall(study([-gain for gain in gains]), MARGIN).itertuples()
    assert row.difference == pytest.approx(np.mean(gains))
    assert (row.p_not_inferior, row.p_value) == pytest.approx((mirrored.p_not_inferior, mirrored.p_value))
    assert row.outcome == mirrored.outcome != "worse"


def test_over_datasets_it_is_the_t_test_of_their_differences():
    gains = [0.01, 0.03, 0.02, 0.05]
    (row,) = overall(study(gains), MARGIN).itertuples()
    expected = stats.ttest_1samp(gains, 0.0)
    assert (row.unit, row.units, row.datasets) == ("dataset", 4, 4)
    assert row.p_value == pytest.approx(expected.pvalue)
    assert (row.low, row.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert row.score == pytest.approx(0.7 + np.mean(gains))


def test_backbones_of_a_dataset_are_averaged_and_do_not_count():
    gains = [0.01, 0.03, 0.02, 0.05]
    one, three = (overall(study(gains, backbones), MARGIN) for backbones in (["resnet50"], ["a", "b", "resnet50"]))
    kept = ["difference", "low", "high", "p_value", "outcome", "units"]
    three = three[three["encoder"] == one["encoder"].iloc[0]]
    pd.testing.assert_frame_equal(one[kept], three[kept])


def test_of_one_dataset_seeds_are_the_units():
    found = {cell("d0", "full"): scores(0.7, 0.72, 0.71), cell("d0", "ssf"): scores(0.75, 0.74, 0.77)}
    (row,) = overall(found, MARGIN).itertuples()
    assert (row.unit, row.units) == ("seed", 3)
    assert row.p_value == pytest.approx(stats.ttest_1samp([0.05, 0.02, 0.06], 0).pvalue, abs=1e-3)


def test_one_dataset_that_decides_is_named():
    (row,) = overall(study([0.010, 0.012, 0.009, 0.011, 0.2]), MARGIN).itertuples()
    assert row.outcome == "undecided"
    assert row.depends_on == "d4"
    assert (row.least_without_one, row.most_without_one) == (pytest.approx(0.0105), pytest.approx(0.05825))
    assert overall(study([0.03, 0.031]), MARGIN)["depends_on"].isna().all()  # one alone would be left


def test_a_margin_that_all_datasets_keep_is_equivalence_and_one_seed_of_one_dataset_is_nothing():
    assert overall(study([0.001, -0.001, 0.0005, -0.0005]), MARGIN)["outcome"].to_list() == ["equivalent"]
    assert overall(study([-0.01, 0.03, -0.02, 0.02]), MARGIN)["outcome"].to_list() == ["undecided"]
    alone = overall(study([0.2]), MARGIN).iloc[0]
    assert alone["outcome"] == "undecided"
    assert np.isnan(alone["p_value"])


def test_effects_that_backbones_share_do_not_make_a_difference():
    """Half of the variance is the dataset's: taken for blocks of their own, three backbones err in .17 of studies."""
    random = np.random.default_rng(0)
    wrong, studies = 0, 200
    for _ in range(studies):
        found = {}
        for number in range(5):
            shared = random.normal(0, 0.02)
            for backbone in ("resnet50", "resnet18", "resnet34"):
                found[cell(f"d{number}", "full", backbone)] = scores(0.7)
                found[cell(f"d{number}", "ssf", backbone)] = scores(0.7 + shared + random.normal(0, 0.02))
        wrong += overall(found, MARGIN)["outcome"].isin(["better", "worse"]).any()
    assert wrong / studies <= 0.08  # .05, and twice the error of 200 studies
