"""What generated images scored, and how methods differ in it, with intervals over test images and training seeds."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from medpeft.base.frames import each_group, each_row
from medpeft.base.runs import CELL, Run
from medpeft.statistics.collect import distinct, runs_in
from medpeft.statistics.generated.generation_scores import UNTUNED
from medpeft.statistics.generated.jackknife import deviations
from medpeft.statistics.inference import Estimate
from medpeft.statistics.metrics import METRICS, shown_in
from medpeft.statistics.significance import BASELINE, SIGNIFICANT, holm

REFERENCES = (BASELINE, UNTUNED)  # what every other method is compared with
JUDGED_BY = ("fid", "kid")  # which must agree
KEYS = ["dataset", "backbone", "fraction"]
INTERVAL_COLUMNS = [*CELL, "metric", "value", "low", "high", "seed_variance", "image_variance", "seeds", "images"]
COMPARISON_COLUMNS = [
    *KEYS,
    *("reference", "method", "metric", "difference", "low", "high", "p_value", "p_adjusted"),
    *("seed_variance", "image_variance", "seeds", "images"),
]


class Scored(NamedTuple):
    """The score of a run by one metric, and what each group of images contributes to its variance, (groups,)."""

    value: float
    deviations: np.ndarray


class GeneratedResults(NamedTuple):
    """Two tables, one row a metric: the scores of each cell, and each difference of two methods on the same images."""

    generation_intervals: pd.DataFrame
    generation_comparisons: pd.DataFrame


def compare_generated(runs: pd.DataFrame, jackknives: Mapping[Run, pd.DataFrame]) -> GeneratedResults:
    """Return the scores of generated images and their differences between methods, with 95 % intervals.

    Every method is compared with full fine-tuning and with the diffusion pipeline untuned, where the study has them,
    over the seeds that both have. P-values are adjusted by Holm's method for the methods that are compared with the
    same one. With a single seed the interval covers the test images alone, and there is no p-value.

    Args:
        runs: the content of `runs.csv`; failed runs are left out.
        jackknives: each run's `jackknife.csv`.
    """
    generated = distinct(runs, "text-to-image")
    generated = generated[generated["status"] == "ok"]
    tables = dict(zip(generated.index, (jackknives[run] for run in runs_in(generated)), strict=True))
    intervals, comparisons = [], []
    for key, case in each_group(generated, KEYS):
        images = int(case["n_test"].iloc[0])
        for metric in shown_in("generation"):
            scored = {
                method: {row.seed: _scored(tables[row.Index], metric) for row in each_row(of_method)}
                for method, of_method in each_group(case, "method")
            }
            for method, seeds in scored.items():
                cell = dict(zip(KEYS, key, strict=True)) | {"method": method, "metric": metric}
                estimate = _estimate(list(seeds.values()))
                low, high = estimate.interval(METRICS[metric].bounds)
                intervals.append(cell | {"value": estimate.value} | _facts(estimate, low, high, images))
                for reference in REFERENCES:
                    shared = seeds.keys() & scored.get(reference, {}).keys()
                    if method != reference and shared:
                        gaps = [_gap(seeds[seed], scored[reference][seed]) for seed in sorted(shared)]
                        comparisons.append(cell | {"reference": reference} | _difference(gaps, images))
    return GeneratedResults(
        pd.DataFrame(intervals, columns=INTERVAL_COLUMNS),
        _adjusted(pd.DataFrame(comparisons, columns=COMPARISON_COLUMNS)),
    )


def verdicts(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Return one row a method and reference of `generation_comparisons.csv`, with its `verdict` and `seeds`.

    It is `better` or `worse` where FID and KID both differ in this direction with an adjusted p below .05, `untested`
    where there is a single seed, and `undecided` otherwise.
    """
    rows = []
    for key, case in each_group(comparisons, [*KEYS, "reference", "method"]):
        by_metric = case.set_index("metric")
        judged = by_metric.loc[list(JUDGED_BY)]
        sure = bool((judged["p_adjusted"] < SIGNIFICANT).all())
        lower, higher = bool((judged["difference"] < 0).all()), bool((judged["difference"] > 0).all())
        verdict = "better" if sure and lower else "worse" if sure and higher else "undecided"
        if judged["p_adjusted"].isna().any():
            verdict = "untested"
        columns = [*KEYS, "reference", "method"]
        rows.append(dict(zip(columns, key, strict=True)) | {"verdict": verdict, "seeds": int(judged["seeds"].min())})
    return pd.DataFrame(rows, columns=[*KEYS, "reference", "method", "verdict", "seeds"]).astype({"fraction": float})


def _scored(jackknife: pd.DataFrame, metric: str) -> Scored:
    scores = jackknife[metric].to_numpy(float)
    return Scored(float(scores[0]), deviations(scores, jackknife["left_out"].to_numpy(float)[1:]))


def _gap(first: Scored, second: Scored) -> Scored:
    """Return the difference of two scores on the same images."""
    return Scored(first.value - second.value, first.deviations - second.deviations)


def _estimate(scored: list[Scored]) -> Estimate:
    """Return the mean over the seeds of `scored`, with its variance over seeds and over what they share of images."""
    moved = np.array([one.deviations for one in scored])
    return Estimate.of_covariance(np.array([one.value for one in scored]), moved @ moved.T, moved.shape[1])


def _difference(gaps: list[Scored], images: int) -> dict[str, float]:
    estimate = _estimate(gaps)
    facts = _facts(estimate, *estimate.interval(), images)
    return {"difference": estimate.value, "p_value": estimate.p_value()} | facts


def _facts(estimate: Estimate, low: float, high: float, images: int) -> dict[str, float]:
    return {
        "low": low,
        "high": high,
        "seed_variance": estimate.unit_variance,
        "image_variance": estimate.image_variance,
        "seeds": estimate.units,
        "images": images,
    }


def _adjusted(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Add the p-values adjusted for the methods of a case that are compared with the same one by the same metric."""
    tested = comparisons[comparisons["p_value"].notna()]
    adjusted = tested.groupby([*KEYS, "reference", "metric"])["p_value"].transform(holm)
    return comparisons.assign(p_adjusted=adjusted.reindex(comparisons.index).astype(float))
