"""What is decided of a difference from full fine-tuning: at which level, among how many, beyond which margin."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from medpeft.statistics.inference import Estimate, Tail  # whose scipy a study does not need

BASELINE = "full"  # the method that every other one is tested against
SIGNIFICANT = 0.05
OUTCOMES = ("better", "worse", "equivalent", "not inferior", "undecided")
WITHIN_MARGIN = ("better", "equivalent", "not inferior")  # what a recommendation rests on
# What `assess` gives of each estimate, `decide` of a family of them, and `needs` of each.
ASSESSED = ["difference", "low", "high", "p_value", "p_not_inferior", "p_equivalent", "seed_share"]
DECIDED = ["p_adjusted", "p_not_inferior_adjusted", "p_equivalent_adjusted", "outcome"]
NEEDED = ["detectable", "units_needed", "images_needed"]


def holm(p_values: pd.Series | Sequence[float]) -> np.ndarray:
    """Return the p-values adjusted for their number, in the given order; those that are NaN stay so and do not count.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    values = np.asarray(p_values, float)
    order = np.argsort(values, kind="stable")[: np.count_nonzero(~np.isnan(values))]
    stepped = np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1))
    adjusted = np.full_like(values, np.nan)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def assess(estimate: "Estimate", margin: float, higher_is_better: bool = True) -> dict[str, float]:
    """Return the columns `ASSESSED` of a difference; there is no interval of it where its units were not repeated.

    Args:
        estimate: The difference of a method from the baseline.
        margin: The difference that does not matter.
        higher_is_better: Whether a positive difference is a gain.

    Returns:
        difference, its 95 % interval low, high, p_value (of no difference), p_not_inferior (of being worse by the
        margin or more), p_equivalent (of differing by the margin or more; two one-sided tests), all of them two-sided,
        so that each agrees with the interval, and seed_share (of the variance, that of seeds or datasets).

    Source: Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657.
    """
    low, high = estimate.interval() if estimate.tested else (np.nan, np.nan)
    above_loss, below_gain = _beyond(estimate, -margin, "above"), _beyond(estimate, margin, "below")
    return {
        "difference": estimate.value,
        "low": low,
        "high": high,
        "p_value": estimate.p_value(),
        "p_not_inferior": above_loss if higher_is_better else below_gain,
        "p_equivalent": max(above_loss, below_gain),
        "seed_share": estimate.unit_variance / estimate.variance if estimate.variance else np.nan,
    }


def _beyond(estimate: "Estimate", null: float, side: "Tail") -> float:
    """Return the two-sided p-value of `null`, 1 where the estimate is not on this `side` of it."""
    return float(np.minimum(1.0, 2 * estimate.p_value(null, side)))


def needs(estimate: "Estimate", margin: float, comparisons: int) -> dict[str, float]:
    """Return the columns `NEEDED` of a difference that is one of so many `comparisons`.

    Returns:
        detectable, the difference that the test would find with a power of 80 %; units_needed and images_needed, how
        many seeds (or datasets), or test images, it takes to find one of the size of the `margin`, all else equal.
    """
    level = SIGNIFICANT / comparisons
    return {
        "detectable": estimate.detectable(level),
        "units_needed": estimate.units_for(margin, level),
        "images_needed": estimate.images_for(margin, level),
    }


def decide(family: pd.DataFrame, higher_is_better: bool = True) -> pd.DataFrame:
    """Return the rows of one `family` of comparisons with the columns `DECIDED`.

    Each p-value is adjusted by Holm's procedure over the family. A method that differs is `better` or `worse`. One that
    does not is `equivalent` where it differs by less than the margin in both directions, `not inferior` where it is not
    worse by the margin, and `undecided` where the data show none of these.
    """
    adjusted = {f"{name}_adjusted": holm(family[name]) for name in ("p_not_inferior", "p_equivalent")}
    family = family.assign(p_adjusted=holm(family["p_value"]), **adjusted)
    gain = family["difference"] * (1 if higher_is_better else -1)
    differs = family["p_adjusted"] < SIGNIFICANT
    found = [
        differs & (gain > 0),
        differs & (gain < 0),
        family["p_equivalent_adjusted"] < SIGNIFICANT,
        family["p_not_inferior_adjusted"] < SIGNIFICANT,
    ]
    return family.assign(outcome=np.select(found, OUTCOMES[:-1], OUTCOMES[-1]))
