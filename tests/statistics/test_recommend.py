"""What is recommended: the cheapest method that is shown not to be worse by the margin, or nothing."""

import numpy as np
import pandas as pd
import pytest

from medpeft.statistics.overall import OVERALL_COLUMNS
from medpeft.statistics.recommend import recommend

PARAMETERS = {"full": 1000, "ssf": 50, "bias": 20, "linear_probe": 5, "wide": 2000}


def choice(**outcomes):
    """Return the recommendation where these are the outcomes of the methods beside full fine-tuning."""
    rows = [
        {"encoder": "cnn", "fraction": 1.0, "method": method, "outcome": outcome, "units_needed": 10 + len(method)}
        for method, outcome in outcomes.items()
    ]
    runs = [("a", "resnet50", method, 1.0, 0, "ok", count, 10, 2.0, 4 * count) for method, count in PARAMETERS.items()]
    columns = ["dataset", "backbone", "method", "fraction", "seed", "status", "trainable_parameters"]
    columns += ["peak_memory_bytes", "train_seconds", "adapter_bytes"]
    table = pd.DataFrame(runs, columns=columns).assign(task="classification")
    (found,) = recommend(pd.DataFrame(rows).reindex(columns=OVERALL_COLUMNS), table).itertuples()
    return found


@pytest.mark.parametrize("shown", ["better", "equivalent", "not inferior"])
def test_the_cheapest_that_is_shown_is_recommended(shown):
    found = choice(ssf="better", bias=shown, linear_probe="undecided")
    assert (found.method, found.trainable_parameters) == ("bias", 20)
    assert (found.shown, found.candidates) == (2, 3)


def test_what_is_not_shown_to_be_worse_is_not_recommended():
    found = choice(ssf="undecided", bias="undecided", linear_probe="worse")
    assert found.method == ""
    assert (found.shown, found.candidates) == (0, 3)
    assert found.units_needed == 13  # of the candidate that needs the fewest
    assert np.isnan(found.difference)


def test_a_method_that_trains_more_than_full_fine_tuning_is_no_candidate():
    assert choice(wide="better", ssf="undecided").method == ""


def test_a_study_that_failed_has_no_recommendation():
    assert recommend(pd.DataFrame(columns=OVERALL_COLUMNS), pd.DataFrame(columns=["task"])).empty
