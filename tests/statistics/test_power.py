"""Planning: what a study is told it can show, it shows."""

import numpy as np
import pandas as pd
import pytest

from medpeft.artefacts.sentences.plan import plans
from medpeft.base.runs import Run
from medpeft.statistics.inference import Estimate
from medpeft.statistics.power import Assumed, power

ASSUMED = Assumed(seed_deviation=0.02, disagreement=0.1)


def runs(seeds, methods=("full", "ssf", "bias")):
    return [Run("busi", "resnet50", method, "1", str(seed)) for method in methods for seed in range(seeds)]


def test_four_in_five_studies_show_the_difference_that_they_were_told_they_could():
    (row,) = power(runs(4), {"busi": 500}, ASSUMED, 0.02).itertuples()
    random = np.random.default_rng(0)
    found = []
    for _ in range(1000):
        shared = random.normal(0, np.sqrt(ASSUMED.disagreement / 500))
        scores = row.detectable + shared + random.normal(0, np.sqrt(2) * ASSUMED.seed_deviation, 4)
        estimate = Estimate.of_covariance(scores, np.full((4, 4), ASSUMED.disagreement / 500), 500)
        found.append(estimate.p_value() < 0.05 / 2)
    assert np.mean(found) == pytest.approx(0.8, abs=0.08)
    assert (row.methods, row.seeds, row.test_images) == (2, 4, 500)


def test_the_least_margin_is_one_that_equal_methods_are_shown_to_keep():
    (row,) = power(runs(4), {"busi": 500}, ASSUMED, 0.02).itertuples()
    again = power(runs(4), {"busi": 500}, ASSUMED, row.least_margin)
    assert row.least_margin > row.detectable  # both sides have to be shown
    assert again.loc[0, "units_needed"] == 4


def test_one_seed_and_no_baseline_are_told():
    assert np.isnan(power(runs(1), {"busi": 500}, ASSUMED, 0.02).loc[0, "detectable"])
    assert power(runs(3, methods=("ssf", "bias")), {"busi": 500}, ASSUMED, 0.02).empty


def test_the_terminal_says_what_can_be_shown_and_what_the_margin_takes():
    few, many = (power(runs(4), {"busi": images}, ASSUMED, 0.02) for images in (119, 10**6))
    assert plans(few, 0.02)[0].startswith(
        "busi, resnet50, 100 %: 4 seeds and 119 independent test images can show a difference of"
    )
    assert "the margin, takes" in plans(few, 0.02)[0]
    assert "below the margin" in plans(power(runs(40), {"busi": 10**6}, ASSUMED, 0.02), 0.02)[0]
    assert "test nothing" in plans(power(runs(1), {"busi": 119}, ASSUMED, 0.02), 0.02)[0]
    assert plans(pd.DataFrame(), 0.02) == ["no method stands beside full fine-tuning: there is nothing to compare"]
    assert many.loc[0, "detectable"] < few.loc[0, "detectable"]
