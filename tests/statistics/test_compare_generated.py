"""Differences between generators: paired by images and seeds, sure only where FID and KID agree, never of one seed."""

import numpy as np
import pandas as pd
import pytest

from medpeft.base.files import read_table, write_table
from medpeft.base.runs import Run
from medpeft.generation.likeness import LIKENESS
from medpeft.statistics.collect import RUN_COLUMNS
from medpeft.statistics.generated.compare_generated import (
    COMPARISON_COLUMNS,
    INTERVAL_COLUMNS,
    compare_generated,
    verdicts,
)
from medpeft.statistics.generated.jackknife import deviations
from medpeft.statistics.inference import Estimate

GROUPS = 20
MEANS = {"untuned": 40.0, "full": 30.0, "lora": 20.0}


def jackknife(fid: float, seed: int, shared: np.ndarray) -> pd.DataFrame:
    """Return the scores of a run without each group, which move as `shared` says and a little by themselves."""
    own = np.random.default_rng(seed + round(100 * fid)).normal(scale=0.01, size=GROUPS)
    moved = np.array([0, *(shared + own)])
    table = pd.DataFrame({"group": range(GROUPS + 1), "left_out": [0, *[5] * GROUPS]})
    return table.assign(**{name: (fid + seed + moved) / (1 if name == "fid" else 1000) for name in LIKENESS})


def study(seeds: int = 3, means=MEANS) -> tuple[pd.DataFrame, dict]:
    """Return `runs.csv` and the jackknives of a study of these methods, whose last seed of LoRA failed."""
    rows, tables = [], {}
    shared = np.random.default_rng(0).normal(scale=0.2, size=GROUPS)
    for method, fid in means.items():
        for seed in range(seeds):
            ok = (method, seed) != ("lora", 2)
            row = {"experiment": "table4", "task": "text-to-image", "dataset": "busi", "backbone": "tiny"}
            row |= {"method": method, "fraction": 1.0, "seed": seed, "n_test": 100, "status": "ok" if ok else "failed"}
            rows.append(row)
            if ok:
                tables[Run("busi", "tiny", method, "1", str(seed))] = jackknife(fid, seed, shared)
    return pd.DataFrame(rows, columns=RUN_COLUMNS), tables


def test_differences_are_paired_over_images_and_seeds(tmp_path):
    runs, tables = study()
    found = compare_generated(runs, tables)
    row = found.generation_comparisons.set_index(["reference", "method", "metric"]).loc[("full", "lora", "fid")]
    assert row["difference"] == pytest.approx(-10)
    assert (row["seeds"], row["images"]) == (2, 100)  # those that both have
    gaps = [
        tables[Run("busi", "tiny", "lora", "1", seed)]["fid"] - tables[Run("busi", "tiny", "full", "1", seed)]["fid"]
        for seed in ("0", "1")
    ]
    moved = np.array([deviations(gap.to_numpy(), np.full(GROUPS, 5.0)) for gap in gaps])
    expected = Estimate.of_covariance(np.array([gap[0] for gap in gaps]), moved @ moved.T, GROUPS)
    assert row[["low", "high"]].to_list() == pytest.approx(expected.interval())
    assert row["p_value"] == pytest.approx(expected.p_value())
    whole = found.generation_intervals.set_index(["method", "metric"]).loc[("lora", "fid")]
    assert whole["value"] == pytest.approx(20.5)
    assert whole["image_variance"] > 10 * row["image_variance"]  # what both methods share of the images drops out
    for name, table in found._asdict().items():
        write_table(tmp_path / f"{name}.csv", table)
        assert read_table(tmp_path / f"{name}.csv").columns.to_list() == table.columns.to_list()


def test_p_values_are_adjusted_for_the_methods_that_are_compared_with_the_same_one():
    table = compare_generated(*study(2, MEANS | {"bias": 29.999})).generation_comparisons
    of_full = table[(table["reference"] == "full") & (table["metric"] == "fid")].set_index("method")
    assert set(of_full.index) == {"untuned", "lora", "bias"}
    ordered = of_full.sort_values("p_value")
    expected = np.minimum(np.maximum.accumulate(ordered["p_value"] * [3, 2, 1]), 1)
    assert ordered["p_adjusted"].to_list() == pytest.approx(expected.to_list())
    assert "full" not in set(of_full.index)


def test_one_seed_has_an_interval_over_images_and_no_p_value():
    found = compare_generated(*study(1))
    table = found.generation_comparisons
    assert table[["p_value", "p_adjusted", "seed_variance"]].isna().all().all()
    assert (table["low"] < table["difference"]).all()
    assert (table["difference"] < table["high"]).all()
    assert set(verdicts(table)["verdict"]) == {"untested"}


def test_a_study_without_generated_images_has_empty_tables():
    runs, _ = study()
    found = compare_generated(runs.assign(status="failed"), {})
    assert found.generation_intervals.columns.to_list() == INTERVAL_COLUMNS
    assert found.generation_comparisons.columns.to_list() == COMPARISON_COLUMNS
    assert verdicts(found.generation_comparisons).empty


def judged(fid: tuple, kid: tuple) -> str:
    """Return the verdict on one method whose difference and adjusted p are these."""
    rows = [
        {"metric": metric, "difference": difference, "p_adjusted": p}
        for metric, (difference, p) in {"fid": fid, "kid": kid}.items()
    ]
    table = pd.DataFrame(rows).assign(
        dataset="busi", backbone="tiny", fraction=1.0, reference="full", method="lora", seeds=2
    )
    return verdicts(table)["verdict"].item()


@pytest.mark.parametrize(
    ("fid", "kid", "verdict"),
    [
        ((-9.0, 0.01), (-0.1, 0.04), "better"),
        ((9.0, 0.01), (0.1, 0.04), "worse"),
        ((-9.0, 0.01), (0.1, 0.01), "undecided"),  # FID says better, KID worse
        ((-9.0, 0.01), (-0.1, 0.7), "undecided"),
        ((-9.0, 0.7), (-0.1, 0.01), "undecided"),
        ((-9.0, np.nan), (-0.1, np.nan), "untested"),
    ],
)
def test_only_differences_of_fid_and_kid_in_one_direction_are_sure(fid, kid, verdict):
    assert judged(fid, kid) == verdict
