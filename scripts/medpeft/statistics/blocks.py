"""When ranks of methods can be tested: over datasets, of one kind of encoder."""

import math
from collections.abc import Iterable

from medpeft.base.runs import Run
from medpeft.networks.encoders import encoder
from medpeft.statistics.significance import SIGNIFICANT

GROUP = ["encoder", "fraction"]  # what the datasets that methods are ranked over have in common
LEAST_DATASETS, LEAST_METHODS = 2, 3  # that ranks over datasets need


def shortage(datasets: int, methods: int) -> str | None:
    """Return why ranks of so many methods over so many datasets cannot be told or tested, or None where they can."""
    if datasets < LEAST_DATASETS:
        return f"too few datasets to rank over: {datasets}"
    if methods < LEAST_METHODS:
        return f"too few methods to rank: {methods}"
    return None


def least_friedman_p(datasets: int, methods: int) -> float:
    """Return the smallest p-value that Friedman's test can have: that of all datasets agreeing, by permutation."""
    return math.factorial(methods) ** float(1 - datasets)


def least_wilcoxon_p(datasets: int) -> float:
    """Return the smallest two-sided p-value that the signed-rank test can have: all differences of one sign."""
    return min(1.0, 2.0 ** (1 - datasets))


def cannot_reject(least: float, comparisons: int = 1) -> bool:
    """Tell whether a test whose p-value is at `least` this cannot reject as one of so many `comparisons`."""
    return least * comparisons >= SIGNIFICANT


def ranks_can_be_told(runs: Iterable[Run]) -> bool:
    """Tell whether some kind of encoder has, at one fraction, enough datasets and methods to rank over.

    A dataset counts where each of its backbones has all methods of its group.

    Args:
        runs: Runs of classification.
    """
    groups: dict[tuple[str, str], dict[str, dict[str, set[str]]]] = {}
    for run in runs:
        datasets = groups.setdefault((encoder(run.backbone), run.fraction), {})
        datasets.setdefault(run.dataset, {}).setdefault(run.backbone, set()).add(run.method)
    for datasets in groups.values():
        methods = set.union(*(found for backbones in datasets.values() for found in backbones.values()))
        complete = sum(any(found == methods for found in backbones.values()) for backbones in datasets.values())
        if not shortage(complete, len(methods)):
            return True
    return False
