"""Crossovers: where the published ones lie, where lines meet, and when that is shown."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_studies import Truth, correct

from medpeft.statistics.bootstrap import ScoredCell, SeedScores
from medpeft.statistics.crossovers import crossing, crossovers
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.significance import assess, decide

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


def study(leads, images=400, metric="f1_micro"):
    """Return the crossovers of ssf, which scores so much better than full fine-tuning at each fraction."""
    sign = METRICS[metric].sign
    random = np.random.default_rng(0)
    scores, rows = {}, []
    for fraction, lead in leads.items():
        for method, mean in (("full", 0.6 + 0.1 * fraction), ("ssf", 0.6 + 0.1 * fraction + sign * lead)):
            draws = mean + random.normal(0, 0.001, (3, 1)) + random.normal(0, 0.002, (3, 50))
            draws[:, 0] = mean
            cell = ScoredCell("busi", "resnet50", method, fraction, metric)
            scores[cell] = SeedScores(pd.DataFrame(draws), images)
    outcomes = {1: "better", -1: "worse", 0: "undecided"}
    for fraction, lead in leads.items():
        outcome = outcomes[np.sign(lead) if abs(lead) > 0.01 else 0]
        rows.append(("busi", "resnet50", "ssf", fraction, metric, outcome))
    comparisons = pd.DataFrame(rows, columns=["dataset", "backbone", "method", "fraction", "metric", "outcome"])
    return crossovers(scores, comparisons)


@pytest.mark.parametrize("metric", ["f1_micro", "auroc", "brier"])
def test_a_crossover_lies_between_the_sizes_where_the_method_is_shown_ahead_and_behind(metric):
    (row,) = study({0.01: 0.1, 0.1: 0.05, 0.5: 0.005, 1.0: -0.05}, metric=metric).itertuples()
    assert (row.low, row.high) == (0.1, 1.0)
    assert row.low < row.fraction < row.high
    assert 0.65 < row.score < 0.7  # between those of full fine-tuning there


@pytest.mark.parametrize(
    "leads",
    [
        {0.01: 0.1, 0.1: 0.05, 1.0: -0.005},  # behind in the means alone
        {0.01: 0.005, 0.1: 0.005, 1.0: -0.1},  # ahead in the means alone
        {0.01: -0.1, 0.1: 0.05, 1.0: 0.05},  # ahead with more images, not with fewer
        {1.0: 0.1},
    ],
)
def test_lines_that_cross_without_being_shown_to_are_no_crossover(leads):
    assert study(leads).empty


def test_equal_methods_rarely_cross():
    """Lines through the means of two equal methods cross in a quarter to a half of all studies."""
    random = np.random.default_rng(1)
    found, crossed, studies = 0, 0, 60
    for _ in range(studies):
        scores, comparisons = {}, []
        for fraction in (0.1, 0.25, 0.5, 1.0):
            cells = {name: ScoredCell("busi", "resnet50", name, fraction, "f1_micro") for name in ("full", "ssf")}
            right = dict(zip(cells, correct(random, Truth(119, 3, 0.02, 0.1), methods=2), strict=True))
            for name, cell in cells.items():
                resamples = random.multinomial(119, np.full(119, 1 / 119), size=200).T / 119
                draws = np.hstack([right[name].mean(axis=1, keepdims=True), right[name] @ resamples])
                scores[cell] = SeedScores(pd.DataFrame(draws), 119)
            gain = scores[cells["ssf"]].less(scores[cells["full"]]).estimate()
            comparisons.append(cells["ssf"]._asdict() | assess(gain, 0.02))
        table = pd.concat([decide(pd.DataFrame([row])) for row in comparisons])
        found += len(crossovers(scores, table))
        leads = table["difference"].to_numpy()
        crossed += leads[-1] < 0 < leads[:-1].max()
    assert crossed / studies > 0.2
    assert found / studies <= 0.05
