"""Scores of subgroups of test images, such as one sex, age band, skin type or device, and the gap between them.

The gap is the score of the best subgroup less that of the worst. It is above 0 by chance alone: the more and the
smaller the subgroups, the larger. So beside it stands the gap that chance would give if all subgroups were alike. Its
interval and its p-value come from the differences of all pairs of subgroups, adjusted for their number: the largest
lower bound of a pair is that of the gap, and so is the largest upper bound. Under this adjustment the choice of the
best and the worst subgroup costs nothing.

Images of one cluster are resampled together across subgroups; seeds count as in `medpeft.statistics.inference`.

Source: Dunn 1961, Multiple comparisons among means, Journal of the American Statistical Association 56:52.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.frames import each_group
from medpeft.base.runs import CELL, Run
from medpeft.data.attributes import UNKNOWN
from medpeft.statistics.collect import distinct, runs_in
from medpeft.statistics.inference import CONFIDENCE, Estimate
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.populations.resampling import Drawn, Predicted, drawn, score_draws
from medpeft.statistics.scoring.predictions import class_probabilities
from medpeft.statistics.significance import SIGNIFICANT, holm

LEAST_IMAGES, LEAST_OF_CLASS = 20, 5  # with fewer a subgroup has no score
MOST_SUBGROUPS = 20  # values of a column without bands
OUTSIDE = "outside"  # the subgroup of numbers in none of the bands
APART = (UNKNOWN, OUTSIDE)  # scored, but not compared
CHANCE_DRAWS = 10_000
SUBGROUP_COLUMNS = [
    *CELL,
    "metric",
    "attribute",
    "subgroup",
    "n_images",
    "n_clusters",
    "n_runs",
    "score",
    "low",
    "high",
]
SUBGROUP_COLUMNS += ["status"]
GAP_COLUMNS = [*CELL, "metric", "attribute", "subgroups", "best", "worst", "worst_share", "gap", "low", "high"]
GAP_COLUMNS += ["chance_gap", "p_value", "p_adjusted"]

Bands = list[float] | None


class Comparison(NamedTuple):
    """The tables of `compare_subgroups`.

    Attributes:
        subgroups: For each cell, metric, attribute and subgroup: n_images, n_clusters, n_runs, score (mean over seeds),
            its interval low, high, and status, `ok` or why there is no score.
        gaps: For each cell, metric and attribute: how many subgroups were compared, the best and the worst, worst_share
            (how often the worst one is that in resampled test images), the gap with its interval low, high, chance_gap
            (the mean gap of subgroups that are alike), p_value (of no gap) and p_adjusted (Holm, over all that is
            tested on one dataset, backbone and metric). One seed gives no p-value.
    """

    subgroups: pd.DataFrame
    gaps: pd.DataFrame


@dataclass(frozen=True)
class Subgroup:
    """A subgroup of test images with its scores.

    Attributes:
        name: As tables print it.
        draws: Float (seeds, 1 + resamples), as `score_draws` gives them.
        clusters: How many clusters its images are of.
        least: How many clusters, or images of its smallest class, its score rests on.
    """

    name: str
    draws: np.ndarray
    clusters: int
    least: int

    @cached_property
    def estimate(self) -> Estimate:
        """Its score."""
        return Estimate.of_draws(self.draws, self.clusters)

    @property
    def hidden_variance(self) -> float:
        """The variance over images of a score that is the best or worst there is, which no resample shows.

        Source: Agresti & Caffo 2000, The American Statistician 54:280 (a success and a failure are added).
        """
        estimate = self.estimate
        if estimate.variance > 0:
            return 0.0
        share = (estimate.value * self.least + 1) / (self.least + 2)
        return float(share * (1 - share) / (self.least + 2))


def compare_subgroups(
    runs: pd.DataFrame,
    read: Callable[[Run], Predicted],
    attributes: Mapping[str, pd.DataFrame],
    asked: Mapping[str, Mapping[str, Bands]],
    metrics: Iterable[str],
) -> Comparison:
    """Return the scores of subgroups of test images, and the gaps between them, for every cell of `runs`.

    Args:
        runs: Rows of `runs.csv`, those with the largest fraction alone.
        read: Returns the predictions of a run.
        attributes: The attributes of each dataset; see `medpeft.data.attributes`.
        asked: The study's key `subgroups`.
        metrics: The metrics that subgroups are scored by.

    Raises:
        UserError: A column has too many values to be subgroups, or no number for its bands.
    """
    rows: list[dict] = []
    gaps: list[dict] = []
    runs = distinct(runs)
    for cell, of_cell in each_group(runs[runs["status"] == "ok"], CELL):
        tables = [read(run) for run in runs_in(of_cell)]
        test = drawn(tables[0].table, cell[0])
        told = attributes[cell[0]].set_index("image_id").reindex(test.image_ids)
        for attribute, edges in asked[cell[0]].items():
            grouped = grouped_by(told[attribute].fillna(UNKNOWN), edges, attribute)
            for metric in metrics:
                key = dict(zip(CELL, cell, strict=True)) | {"metric": metric, "attribute": attribute}
                scored = []
                for name, members in grouped.items():
                    part = test.of(members)
                    status, subgroup = _scored(name, metric, tables, part)
                    row = {"subgroup": name, "n_images": int(members.sum()), "n_clusters": part.size, "status": status}
                    rows.append(key | row | {"n_runs": len(tables)} | _score(subgroup, metric))
                    scored += [subgroup] if subgroup and name not in APART else []
                if len(scored) > 1:
                    gaps.append(key | gap(scored, METRICS[metric].higher_is_better, METRICS[metric].bounds))
    return Comparison(pd.DataFrame(rows, columns=SUBGROUP_COLUMNS), _adjusted(pd.DataFrame(gaps, columns=GAP_COLUMNS)))


def grouped_by(values: pd.Series, edges: Bands, attribute: str) -> dict[str, np.ndarray]:
    """Return the subgroups of images by name, each as bool (images,).

    Args:
        values: The attribute of each image, as text.
        edges: Of bands, each from its lower edge up to, and without, its upper one; None for a subgroup a value.
        attribute: Its name, for messages.
    """
    if edges is None:
        names = sorted(set(values) - {UNKNOWN}, key=_numbers_first)
        if len(names) > MOST_SUBGROUPS:
            raise UserError(
                f"{attribute} has {len(names)} values, such as {names[0]!r}, which are too many subgroups: write the "
                f"edges of bands, as `{attribute}: [0, 40, 60, 120]`, under subgroups in the study"
            )
        found = {name: (values == name).to_numpy() for name in names}
    else:
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.isna().all():
            raise UserError(
                f"{attribute} holds no number, such as {values.iloc[0]!r}, so that it has no bands: write "
                f"`{attribute}: null` under subgroups in the study"
            )
        found = {
            f"[{low:g}, {high:g})": ((numbers >= low) & (numbers < high)).to_numpy() for low, high in pairwise(edges)
        }
        values = values.where(numbers.notna(), UNKNOWN)
        found[OUTSIDE] = ((numbers < edges[0]) | (numbers >= edges[-1])).to_numpy()
    found[UNKNOWN] = (values == UNKNOWN).to_numpy()
    return {name: members for name, members in found.items() if name not in APART or members.any()}


def _numbers_first(value: str) -> tuple[bool, float, str]:
    number = pd.to_numeric(value, errors="coerce")
    return bool(np.isnan(number)), 0.0 if np.isnan(number) else float(number), value


def _scored(name: str, metric: str, tables: list[Predicted], part: Drawn) -> tuple[str, Subgroup | None]:
    """Return `ok` and the subgroup with its scores, or why it has none."""
    if len(part.image_ids) < LEAST_IMAGES:
        return f"fewer than {LEAST_IMAGES} images", None
    least = part.size
    if METRICS[metric].averaging in ("macro", "weighted"):
        smallest, label = _smallest_class(tables[0], part)
        if smallest < LEAST_OF_CLASS:
            return f"fewer than {LEAST_OF_CLASS} images {label}", None
        least = min(least, smallest)
    draws = score_draws(metric, tables, part)
    if np.isnan(draws[:, 0]).any():
        return "not defined", None
    return "ok", Subgroup(name, draws, part.size, least)


def _smallest_class(predicted: Predicted, part: Drawn) -> tuple[int, str]:
    """Return the least number of images with, or without, a class, and which these are: `of` or `without` the class."""
    classes, test = class_probabilities(predicted.table)[0], predicted.scored(part)
    numbers = [
        (int((labels & test.counted)[:, place].sum()), f"{word} {classes[place]}")
        for labels, word in ((test.labels, "of"), (~test.labels, "without"))
        for place in test.averaged
    ]
    return min(numbers)


def _score(subgroup: Subgroup | None, metric: str) -> dict[str, float]:
    if subgroup is None:
        return {}
    low, high = subgroup.estimate.interval(METRICS[metric].bounds)
    return {"score": subgroup.estimate.value, "low": low, "high": high}


def gap(subgroups: list[Subgroup], higher_is_better: bool, bounds: tuple[float, float]) -> dict[str, str | float]:
    """Return the gap between the best and the worst of `subgroups`, as in `Comparison.gaps`.

    Args:
        subgroups: Two or more.
        higher_is_better: Of their scores.
        bounds: The least and the greatest score.
    """
    sign = 1 if higher_is_better else -1
    scores = [sign * subgroup.estimate.value for subgroup in subgroups]
    best, worst = int(np.argmax(scores)), int(np.argmin(scores))
    pairs = [difference(one, other) for one, other in combinations(subgroups, 2)]
    level = (1 - CONFIDENCE) / len(pairs)
    reach = [estimate.critical(level) * np.sqrt(estimate.variance) for estimate in pairs]
    sizes = [abs(estimate.value) for estimate in pairs]
    p_values = [estimate.p_value() for estimate in pairs]
    return {
        "subgroups": len(subgroups),
        "best": subgroups[best].name,
        "worst": subgroups[worst].name,
        "worst_share": _worst_share(subgroups, sign, worst),
        "gap": scores[best] - scores[worst],
        "low": max(0.0, *(size - half for size, half in zip(sizes, reach, strict=True))),
        "high": min(bounds[1] - bounds[0], max(size + half for size, half in zip(sizes, reach, strict=True))),
        "chance_gap": _chance_gap(subgroups),
        "p_value": float(np.minimum(1.0, len(pairs) * np.min(p_values))),
    }


def difference(one: Subgroup, other: Subgroup) -> Estimate:
    """Return the score of one subgroup less that of the other, seed by seed on the same resamples."""
    estimate = Estimate.of_draws(one.draws - other.draws, min(one.clusters, other.clusters))
    hidden = one.hidden_variance + other.hidden_variance
    return replace(estimate, image_variance=estimate.image_variance + hidden)


def _worst_share(subgroups: list[Subgroup], sign: int, worst: int) -> float:
    """Return in what share of the resamples the subgroup that is the `worst` in all images is so too."""
    means = np.array([sign * subgroup.draws[:, 1:].mean(axis=0) for subgroup in subgroups])
    means = means[:, ~np.isnan(means).any(axis=0)]
    return float((means.argmin(axis=0) == worst).mean()) if means.shape[1] else np.nan


def _chance_gap(subgroups: list[Subgroup]) -> float:
    """Return the mean gap of subgroups with one score, whose estimates err as these do."""
    errors = np.sqrt([subgroup.estimate.variance + subgroup.hidden_variance for subgroup in subgroups])
    chance = np.random.default_rng(0).standard_normal((CHANCE_DRAWS, len(subgroups))) * errors
    return float(np.ptp(chance, axis=1).mean())


def said(gaps: pd.DataFrame) -> list[str]:
    """Return a sentence for each attribute of a dataset by which some method has a gap that is no chance."""
    sure = gaps[gaps["p_adjusted"] < SIGNIFICANT].sort_values("gap", ascending=False)
    return [
        f"{dataset}: {METRICS[metric].label} differs between subgroups by {attribute} for {len(rows)} of "
        f"{_tested(gaps, dataset, metric, attribute)} cells, by {rows['gap'].iloc[0]:.3f} at most (worst: "
        f"{rows['worst'].iloc[0]})"
        for (dataset, metric, attribute), rows in each_group(sure, ["dataset", "metric", "attribute"])
    ]


def _tested(gaps: pd.DataFrame, *case: str) -> int:
    return int((gaps[["dataset", "metric", "attribute"]] == case).all(axis=1).sum())


def _adjusted(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return `gaps` with p-values adjusted for all that is tested on one dataset, backbone and metric."""
    family = gaps.groupby(["dataset", "backbone", "metric"])["p_value"]
    return gaps.assign(p_adjusted=family.transform(holm))
