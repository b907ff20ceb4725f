"""The recommended methods: the best one, and the cheapest of those that are not significantly worse."""

import numpy as np
import pandas as pd
import pytest
from toy_runs import scores_of

from medpeft.statistics.rank import rank
from medpeft.statistics.recommend import recommend

RUN = ["dataset", "backbone", "method", "fraction", "seed", "status", "trainable_parameters", "peak_memory_bytes"]
RUN += ["train_seconds", "adapter_bytes"]
CONTRAST = ["encoder", "fraction", "method", "other", "blocks", "difference", "low", "high", "p_value"]
PARAMETERS = {"full": 1000, "ssf": 50, "bias": 20, "linear_probe": 5}


def choices(p_values, means=(0.80, 0.90, 0.89, 0.70)):
    """Return the recommendations where ssf is best and `p_values` are those of the others against it."""
    by_method = dict(zip(PARAMETERS, means, strict=True))
    ranks, _ = rank(scores_of(a=by_method))
    contrasts = [
        ("cnn", 1.0, method, "ssf", 1, by_method[method] - 0.9, -0.1, 0.1, p_value)
        for method, p_value in zip(("full", "bias", "linear_probe"), p_values, strict=True)
    ]
    runs = [("a", "resnet50", method, 1.0, 0, "ok", count, 10, 2.0, 4 * count) for method, count in PARAMETERS.items()]
    return recommend(
        ranks, pd.DataFrame(contrasts, columns=CONTRAST), pd.DataFrame(runs, columns=RUN).assign(task="classification")
    )


def test_the_cheapest_of_those_not_worse_is_recommended():
    best, cheapest = choices([0.001, 0.6, 0.001]).itertuples()
    assert (best.role, best.method, best.not_worse, best.candidates) == ("best", "ssf", 1, 3)
    assert (cheapest.role, cheapest.method, cheapest.trainable_parameters) == ("cheapest", "bias", 20)
    assert cheapest.difference == pytest.approx(-0.01)


def test_holm_is_over_all_candidates():
    """0.02 alone would be significant; as the smallest of three it is 0.06, and the linear probe stays."""
    assert choices([0.5, 0.6, 0.02])["method"].to_list() == ["ssf", "linear_probe"]
    assert choices([0.5, 0.6, 0.016])["method"].to_list() == ["ssf", "bias"]


def test_the_best_may_be_the_cheapest():
    (only,) = choices([0.001, 0.001, 0.001]).itertuples()
    assert (only.role, only.method) == ("best and cheapest", "ssf")


def test_equal_ranks_and_scores_prefer_fewer_parameters():
    assert choices([0.5, 0.6, 0.001], means=(0.9, 0.9, 0.8, 0.7))["method"].iloc[0] == "ssf"


def test_a_study_that_failed_has_no_recommendation():
    ranks, _ = rank(scores_of(a={"full": np.nan, "ssf": np.nan}))
    assert recommend(ranks, pd.DataFrame(columns=CONTRAST), pd.DataFrame(columns=RUN)).empty
