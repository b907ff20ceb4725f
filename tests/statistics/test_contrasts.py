"""Contrasts: every method against every other one, over the blocks that both have."""

import pandas as pd
import pytest
from toy_runs import results, runs_of, three_methods

from medpeft.statistics.compare import compare


@pytest.fixture(scope="module")
def tables():
    return three_methods()


def test_contrasts_are_the_comparisons_where_one_side_is_full_fine_tuning(tables):
    found = results(tables)
    contrasts = found.contrasts[found.contrasts["other"] == "full"].set_index("method")
    compared = found.comparisons[found.comparisons["metric"] == "f1_micro"].set_index("method")
    columns = ["difference", "low", "high", "p_value"]
    pd.testing.assert_frame_equal(contrasts[columns].sort_index(), compared[columns].sort_index())
    turned = found.contrasts[found.contrasts["method"] == "full"].set_index("other")
    assert list(turned["difference"].sort_index()) == pytest.approx(list(-contrasts["difference"].sort_index()))
    assert set(found.contrasts["blocks"]) == {1}


def test_contrasts_average_over_the_blocks_that_both_have(tables):
    runs = runs_of(tables)
    other = runs[runs["method"] != "bias"].assign(backbone="resnet18")
    swap = {"ssf": "full", "full": "ssf"}  # on the other backbone the gain is a loss

    def read(run):
        return tables[swap[run.method] if run.backbone == "resnet18" else run.method, int(run.seed)]

    contrasts = compare(pd.concat([runs, other]), read).contrasts.set_index(["method", "other"])
    assert contrasts.at[("ssf", "full"), "blocks"] == 2
    assert contrasts.at[("ssf", "full"), "difference"] == pytest.approx(0, abs=1e-12)
    assert contrasts.at[("bias", "full"), "blocks"] == 1
