"""One inference for every claim: an estimate with its sources of variance, its interval and its p-values.

A mean over training seeds varies for two reasons. Another seed would have trained another network: the spread over
seeds shows it. Another sample of test images would have scored these networks otherwise: resampled images show it. Only
what all seeds share of that remains when more seeds are averaged. This is the model of readers and cases by which
radiology compares diagnostic tests, with seeds for readers and test images for cases. The difference of two methods is
an estimate of the same kind, of the differences within each seed.

Over several datasets the units are datasets, and the spread over them holds the others.

Sources: Obuchowski & Rockette 1995, Communications in Statistics - Simulation and Computation 24:285 (the variance);
Cochran 1964, Biometrics 20:191 (the critical value); Nadeau & Bengio 2003, Machine Learning 52:239 (repeated splits).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from scipy import optimize, special

CONFIDENCE = 0.95
POWER = 0.8
LEAST_P = 1e-12  # a smaller p-value is not told from it
MOST_UNITS = 1000  # seeds or datasets that a plan may ask for
MOST_TIMES = 10_000  # the test images that there are
Tail = Literal["both", "above", "below"]


@dataclass(frozen=True)
class Estimate:
    """A mean over units, and how it varies.

    Attributes:
        value: The mean.
        unit_variance: Of the mean, for the choice of units: their variance over their number. NaN with a single unit.
        image_variance: Of the mean, for the choice of test images: what all units share of it.
        units: How many training seeds, or datasets, were averaged.
        images: How many independent test images, or patients, there are.
    """

    value: float
    unit_variance: float
    image_variance: float
    units: int
    images: float = np.inf

    @classmethod
    def of_draws(cls, draws: np.ndarray, images: int) -> Self:
        """Return the estimate of the mean over seeds that are tested on the same images.

        Args:
            draws: Float (seeds, 1 + resamples): column 0 holds the scores themselves, each other one those on
                resampled test images, the same for all seeds. Resamples that are NaN for some seed are left out.
            images: How many independent test images, or patients, were resampled.
        """
        scores, resampled = draws[:, 0], draws[:, 1:]
        resampled = resampled[:, ~np.isnan(resampled).any(axis=0)]
        if resampled.shape[1] < 2:
            return cls(float(scores.mean()), np.nan, np.nan, len(scores), images)
        covariance = np.atleast_2d(np.cov(resampled)) * images / max(images - 1, 1)
        return cls.of_covariance(scores, covariance, images)

    @classmethod
    def of_covariance(cls, scores: np.ndarray, covariance: np.ndarray, images: float) -> Self:
        """Return the estimate of the mean of `scores` (seeds,), whose `covariance` (seeds, seeds) is over images."""
        seeds = len(scores)
        if seeds == 1:
            return cls(float(scores[0]), np.nan, float(covariance[0, 0]), 1, images)
        shared = (covariance.sum() - np.trace(covariance)) / (seeds * (seeds - 1))
        return cls(float(scores.mean()), float(scores.var(ddof=1)) / seeds, max(float(shared), 0.0), seeds, images)

    @classmethod
    def of_splits(cls, scores: np.ndarray, test_share: float) -> Self:
        """Return the estimate of the mean of `scores` (seeds,), each trained and tested on its own random split.

        Args:
            scores: Float (seeds,).
            test_share: Test images over training images. The splits overlap, which their spread does not show: this
                share is added to the variance (Nadeau & Bengio 2003, equation 9).
        """
        seeds = len(scores)
        variance = float(scores.var(ddof=1)) * (1 / seeds + test_share) if seeds > 1 else np.nan
        return cls(float(scores.mean()), variance, 0.0, seeds, seeds)

    @classmethod
    def of_units(cls, values: np.ndarray) -> Self:
        """Return the estimate of the mean of independent `values` (units,), such as one a dataset."""
        return cls.of_splits(values, 0.0)

    @property
    def tested(self) -> bool:
        """Whether the data show how the units vary: there are two or more."""
        return self.units > 1 and not np.isnan(self.variance)

    @property
    def variance(self) -> float:
        """The variance of the mean, over units and images; with one unit over images alone."""
        return self.image_variance if self.units == 1 else self.unit_variance + self.image_variance

    def interval(self, bounds: tuple[float, float] = (-np.inf, np.inf)) -> tuple[float, float]:
        """Return the bounds of the 95 % interval; of one seed it covers the test images alone.

        Args:
            bounds: What the value cannot leave. Between two finite ones the interval is made on the logit scale, where
                it cannot leave them; at one of them it is the exact binomial one.
        """
        low, high = bounds
        if np.isnan(self.variance):
            return np.nan, np.nan
        if not np.isfinite(high - low):
            half = self.critical(1 - CONFIDENCE) * np.sqrt(self.variance)
            return max(self.value - half, low), min(self.value + half, high)
        share = (self.value - low) / (high - low)
        if share in (0, 1):
            reach = ((1 - CONFIDENCE) / 2) ** (1 / self.images)
            ends = (reach, 1.0) if share == 1 else (0.0, 1 - reach)
        else:
            error = np.sqrt(self.variance) / ((high - low) * share * (1 - share))
            half = self.critical(1 - CONFIDENCE) * error
            ends = tuple(special.expit(special.logit(share) + np.array([-half, half])))
        return low + (high - low) * ends[0], low + (high - low) * ends[1]

    def critical(self, level: float) -> float:
        """Return how many standard errors from its mean an estimate lies, to either side, with probability `level`.

        It lies between the quantile of Student's t for the images and the one for the units, as Cochran's does. With
        his weights, the shares of the variance, few units make it too large at 5 % and too small far below, where
        adjusted p-values lie. The weights are raised to a power, found by simulation, that keeps the error rate between
        half and 1.25 times the level (tests/statistics/test_inference.py).
        """
        of_images = -special.stdtrit(max(self.images - 1, 1), level / 2)
        if self.units == 1 or self.variance == 0:
            return float(of_images)
        degrees = self.units - 1
        power = (3 - 1 / degrees) / 2 * (level / (1 - CONFIDENCE)) ** (1 / (3 * degrees))
        weight = (self.unit_variance / self.variance) ** power
        return float(of_images + weight * (-special.stdtrit(degrees, level / 2) - of_images))

    def p_value(self, null: float = 0.0, tail: Tail = "both") -> float:
        """Return the p-value of the mean being `null`, against its being another, `above`, or `below`.

        It is NaN with a single unit, for one seed does not show how seeds differ.
        """
        if not self.tested:
            return np.nan
        gap = self.value - null
        if self.variance == 0:
            both = 1.0 if gap == 0 else LEAST_P
        else:
            both = self._level_of(abs(gap) / np.sqrt(self.variance))
        if tail == "both":
            return both
        return both / 2 if (gap > 0) == (tail == "above") else 1 - both / 2

    def _level_of(self, distance: float) -> float:
        """Return the level whose critical value is `distance`."""
        if self.critical(LEAST_P) <= distance:
            return LEAST_P
        if distance == 0:
            return 1.0
        return float(optimize.brentq(lambda level: self.critical(level) - distance, LEAST_P, 1.0, xtol=1e-15))

    def detectable(self, level: float, power: float = POWER) -> float:
        """Return the smallest difference that a two-sided test at `level` finds with probability `power`."""
        return (
            (self.critical(level) + self.critical(2 * (1 - power))) * np.sqrt(self.variance) if self.tested else np.nan
        )

    def units_for(self, difference: float, level: float) -> float:
        """Return how many units, with these images, make `difference` detectable; NaN where no number does."""

        def with_units(units: int) -> "Estimate":
            return replace(self, units=units, unit_variance=self.unit_variance * self.units / units)

        return self._enough(with_units, difference, level, self.units, MOST_UNITS)

    def images_for(self, difference: float, level: float) -> float:
        """Return how many test images, with these units, make `difference` detectable; NaN where no number does."""

        def with_images(images: int) -> "Estimate":
            return replace(self, images=images, image_variance=self.image_variance * self.images / images)

        return self._enough(with_images, difference, level, self.images, MOST_TIMES * self.images)

    def _enough(
        self, with_more: Callable[[int], "Estimate"], difference: float, level: float, least: float, most: float
    ) -> float:
        """Return the least number, from `least` to `most`, with which `difference` is detectable."""
        if not self.tested or not np.isfinite(most) or with_more(int(most)).detectable(level) > difference:
            return np.nan
        low, high = int(least), int(most)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if with_more(middle).detectable(level) <= difference else (middle + 1, high)
        return float(low)
