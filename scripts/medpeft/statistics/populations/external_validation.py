"""External validation: what runs score on another dataset, how much less that is, and how the methods differ there.

Both scores are of the same trained networks. So the drop is taken seed by seed; its test images are two independent
samples, whose variances add.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from medpeft.base.frames import each_group
from medpeft.base.runs import CELL, Run
from medpeft.statistics.collect import distinct, runs_in
from medpeft.statistics.inference import Estimate
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.populations.resampling import Drawn, Predicted, drawn, score_draws
from medpeft.statistics.significance import BASELINE, holm

EXTERNAL_COLUMNS = [*CELL, "other", "metric", "n_images", "n_clusters", "n_left_out", "n_runs"]
EXTERNAL_COLUMNS += [f"{place}{end}" for place in ("internal", "external", "drop") for end in ("", "_low", "_high")]
EXTERNAL_COLUMNS += ["p_value", "p_adjusted"]
DIFFERENCE_COLUMNS = [*CELL, "other", "metric", "difference", "low", "high", "p_value", "p_adjusted", "seeds_compared"]
FAMILY = ["dataset", "backbone", "other", "metric"]  # within which p-values are adjusted


class ExternalValidation(NamedTuple):
    """The tables of `external_validation`.

    Attributes:
        external: For each cell, other dataset and metric: n_images, n_clusters, n_left_out (images that were trained
            on) of the other dataset, n_runs, and with intervals internal (the mean score over seeds on the own test
            set), external (on the other dataset) and drop (internal less external; where less is better, external less
            internal), with p_value (of no drop) and p_adjusted (Holm, over methods). One seed gives no p-value.
        differences: Each method less full fine-tuning on the other dataset, seed by seed on the same images.
    """

    external: pd.DataFrame
    differences: pd.DataFrame


def external_validation(
    runs: pd.DataFrame,
    read: Callable[[Run], Predicted],
    read_other: Callable[[Run, str], Predicted],
    left_out: Mapping[tuple[str, str], int],
    metrics: Iterable[str],
) -> ExternalValidation:
    """Return what the runs score on other datasets.

    Args:
        runs: Rows of `runs.csv`, those with the largest fraction alone.
        read: Returns the predictions of a run for its own test images.
        read_other: Returns those for the images of another dataset, of this name.
        left_out: How many images are left out, by the dataset and each other one that its runs are tested on.
        metrics: The metrics that are compared.
    """
    rows: list[dict] = []
    differences: list[dict] = []
    runs = distinct(runs)
    good = runs[runs["status"] == "ok"]
    for dataset, other in left_out:
        sets: dict[bool, Drawn] = {}
        draws: dict[tuple, dict[str, pd.DataFrame]] = {}
        for cell, of_cell in each_group(good[good["dataset"] == dataset], CELL):
            key = dict(zip(CELL, cell, strict=True)) | {"other": other}
            named = runs_in(of_cell)
            tables = {False: [read(run) for run in named], True: [read_other(run, other) for run in named]}
            for outside, of_set in tables.items():
                if outside not in sets:
                    sets[outside] = drawn(of_set[0].table, f"{dataset} {other}" if outside else dataset)
            for metric in metrics:
                inner, outer = (score_draws(metric, tables[outside], sets[outside]) for outside in (False, True))
                draws.setdefault((dataset, cell[1], cell[3], other, metric), {})[cell[2]] = pd.DataFrame(
                    outer, index=of_cell["seed"].to_numpy()
                )
                counts = {
                    "n_images": len(sets[True].image_ids),
                    "n_clusters": sets[True].size,
                    "n_left_out": left_out[dataset, other],
                    "n_runs": len(named),
                }
                rows.append(key | {"metric": metric} | counts | _scores(metric, inner, outer, sets))
        differences += _differences(draws, sets)
    return ExternalValidation(_table(rows, EXTERNAL_COLUMNS), _table(differences, DIFFERENCE_COLUMNS))


def _scores(metric: str, inner: np.ndarray, outer: np.ndarray, sets: dict[bool, Drawn]) -> dict[str, float]:
    """Return both scores and the drop, with intervals, from draws (seeds, 1 + resamples)."""
    sizes, known = {outside: part.size for outside, part in sets.items()}, METRICS[metric]
    least = min(sizes.values())
    drop = Estimate.of_draws(known.sign * (inner - outer), least)
    low, high = _within(drop, metric)
    row = {"drop": drop.value, "drop_low": low, "drop_high": high, "p_value": drop.p_value()}
    for name, draws, outside in (("internal", inner, False), ("external", outer, True)):
        estimate = Estimate.of_draws(draws, sizes[outside])
        row[name] = estimate.value
        row[f"{name}_low"], row[f"{name}_high"] = estimate.interval(known.bounds)
    return row


def _differences(draws: Mapping[tuple, dict[str, pd.DataFrame]], sets: dict[bool, Drawn]) -> list[dict]:
    """Return the row of each method that has seeds in common with full fine-tuning."""
    rows = []
    for (dataset, backbone, fraction, other, metric), by_method in draws.items():
        baseline = by_method.get(BASELINE)
        for method, scores in by_method.items():
            if baseline is None or method == BASELINE:
                continue
            gains = (scores - baseline.reindex(scores.index)).dropna(subset=0)
            if gains.empty:
                continue
            estimate = Estimate.of_draws(gains.to_numpy(), sets[True].size)
            low, high = _within(estimate, metric)
            cell = dict(zip(CELL, (dataset, backbone, method, fraction), strict=True))
            found = {"difference": estimate.value, "low": low, "high": high, "p_value": estimate.p_value()}
            rows.append(cell | {"other": other, "metric": metric, "seeds_compared": len(gains)} | found)
    return rows


def _within(estimate: Estimate, metric: str) -> tuple[float, float]:
    """Return the interval of a difference of two scores, which cannot be larger than their range."""
    least, greatest = METRICS[metric].bounds
    low, high = np.clip(estimate.interval(), least - greatest, greatest - least)
    return float(low), float(high)


def _table(rows: list[dict], columns: list[str]) -> pd.DataFrame:
    """Return `rows` as a table, with p-values adjusted for all methods within a `FAMILY`."""
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(p_adjusted=table.groupby(FAMILY)["p_value"].transform(holm))
