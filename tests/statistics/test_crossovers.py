"""Crossovers: where the published ones lie, where lines meet, and how sure that is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_runs import prediction, runs_of

from medpeft.statistics.bootstrap import RESAMPLES, Bootstrap
from medpeft.statistics.compare import compare
from medpeft.statistics.crossovers import crossing

ROOT = Path(__file__).parents[2]


def test_published_crossovers_are_found_in_the_published_lines():
    """Figure 1 of the paper, digitised: LoRA on ViT-L ties with full fine-tuning at 80 % and is behind from there."""
    published = pd.read_csv(ROOT / "paper/reference/figure1.csv")
    claims = pd.read_csv(ROOT / "paper/reference/claims.csv").query("kind == 'crossover'")
    for claim in claims.itertuples():
        size = "base" if "ViT-B" in claim.statement else "large"
        of_backbone = published[published["backbone"] == f"vit_{size}_patch16_224.augreg_in21k"]
        lines = of_backbone.pivot(index="fraction", columns="method", values="f1")
        method, full = (lines[[method]].to_numpy().T for method in (claim.method, "full"))
        fraction, _ = crossing(lines.index.to_numpy(), method, full)
        assert fraction[0] == pytest.approx(claim.published, abs=0.1)


def test_crossing_lies_where_the_lines_meet():
    full = np.array([[0.5, 0.7, 0.9]] * 4)
    method = np.array([[0.7, 0.75, 0.8], [0.9, 0.9, 0.95], [0.7, 0.7, 0.8], [0.5, 0.6, 0.8]])
    fraction, f1 = crossing(np.array([0.01, 0.1, 1.0]), method, full)
    # Between 10 % and 100 % the lead falls from .05 to -.10, so a third of the way on the logarithm.
    assert fraction[0] == pytest.approx(10 ** (-1 + 1 / 3))
    assert f1[0] == pytest.approx(0.75 + 0.05 / 3)
    assert np.isnan(fraction[1])  # never behind
    assert fraction[2] == pytest.approx(0.1)  # a tie counts as neither
    assert np.isnan(fraction[3])  # never ahead


def by_fraction(tables):
    """Return the results of runs whose tables are keyed by (method, fraction, seed)."""
    runs = pd.concat(
        [
            runs_of({(method, seed): table for (method, f, seed), table in tables.items() if f == fraction}, fraction)
            for fraction in dict.fromkeys(f for _, f, _ in tables)
        ]
    )
    return compare(runs, lambda run: tables[run.method, float(run.fraction), int(run.seed)])


@pytest.fixture(scope="module")
def lines():
    skill = {("full", 0.1): 0.2, ("full", 1.0): 2.0, ("ssf", 0.1): 1.2, ("ssf", 1.0): 1.2, ("bias", 1.0): 1.0}
    return {
        (method, fraction, seed): prediction(value, 7 * seed + len(method) + round(10 * fraction), images=80)
        for (method, fraction), value in skill.items()
        for seed in (0, 1)
    }


def test_the_interval_of_a_crossover_resamples_images_and_seeds_alike_for_all_cells(lines):
    row = by_fraction(lines).crossovers.set_index("method").loc["ssf"]
    bootstrap = Bootstrap("busi")
    draws = {}
    for (method, fraction, seed), table in lines.items():
        draws[method, fraction, seed] = bootstrap.scores({seed: table})["f1_micro"].loc[seed].to_numpy()
    seeds = np.random.default_rng([1, *b"busi"]).multinomial(2, [0.5, 0.5], size=RESAMPLES)
    found = []
    for index, (first, second) in enumerate(seeds, start=1):
        mean = {
            cell: (first * draws[*cell, 0][index] + second * draws[*cell, 1][index]) / 2
            for cell in (("ssf", 0.1), ("ssf", 1.0), ("full", 0.1), ("full", 1.0))
        }
        lead = [mean["ssf", fraction] - mean["full", fraction] for fraction in (0.1, 1.0)]
        if lead[0] > 0 > lead[1]:
            found.append(10 ** (lead[0] / (lead[0] - lead[1]) - 1))
    assert row["share"] == pytest.approx(len(found) / RESAMPLES)
    assert 0 < row["share"] < 1
    assert [row["low"], row["high"]] == pytest.approx(np.quantile(found, [0.025, 0.975]))


def test_a_method_at_one_fraction_has_no_crossover(lines):
    assert set(by_fraction(lines).crossovers["method"]) == {"ssf"}


def test_a_crossover_needs_no_seed_that_failed(lines):
    empty = lines["full", 0.1, 0].iloc[:0]
    row = by_fraction(lines | {("full", 0.1, 0): empty}).crossovers.iloc[0]
    assert 0 <= row["share"] <= 1
