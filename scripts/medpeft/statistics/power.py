"""What a study can show, told before it runs: the differences that its seeds and test images would make visible."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from medpeft.base.runs import Run
from medpeft.statistics.inference import POWER, Estimate
from medpeft.statistics.significance import BASELINE, NEEDED, SIGNIFICANT, needs

POWER_COLUMNS = ["dataset", "backbone", "fraction", "methods", "seeds", "test_images", *NEEDED, "least_margin"]


class Assumed(NamedTuple):
    """What is assumed of methods that nobody has tried.

    Attributes:
        seed_deviation: The standard deviation of a method's score over training seeds.
        disagreement: The variance over test images of the difference of two methods, as far as all seeds share it. For
            a score that is a share of images it is at most the share that only one of the two gets right.
    """

    seed_deviation: float
    disagreement: float


def power(runs: Iterable[Run], test_images: Mapping[str, int], assumed: Assumed, margin: float) -> pd.DataFrame:
    """Return what the comparisons with full fine-tuning will be able to show.

    Args:
        runs: Those of classification.
        test_images: How many independent test images, or patients, each dataset has.
        assumed: How scores will vary.
        margin: The difference that does not matter.

    Returns:
        One row a dataset, backbone and fraction with full fine-tuning and another method: methods (compared with it),
        seeds (that all of them have at least), test_images, what `significance.needs` returns, and least_margin, the
        smallest margin for which two equal methods would be shown to be equivalent with a power of 80 %.
    """
    grid: dict[tuple[str, str, str], dict[str, set[str]]] = {}
    for run in runs:
        grid.setdefault((run.dataset, run.backbone, run.fraction), {}).setdefault(run.method, set()).add(run.seed)
    rows = [
        (*case, *_row(seeds, test_images[case[0]], assumed, margin))
        for case, seeds in grid.items()
        if BASELINE in seeds and len(seeds) > 1
    ]
    return pd.DataFrame(rows, columns=POWER_COLUMNS).astype({"fraction": float})


def _row(seeds: dict[str, set[str]], images: int, assumed: Assumed, margin: float) -> tuple:
    methods, count = len(seeds) - 1, min(map(len, seeds.values()))
    variance = 2 * assumed.seed_deviation**2 / count if count > 1 else np.nan
    plan = Estimate(0.0, variance, assumed.disagreement / images, count, images)
    needed = needs(plan, margin, methods)
    both_sides = plan.critical(SIGNIFICANT / methods) + plan.critical(1 - POWER)
    least = both_sides * np.sqrt(plan.variance) if plan.tested else np.nan
    return methods, count, images, *needed.values(), least
