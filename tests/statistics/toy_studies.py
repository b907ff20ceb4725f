"""Made-up studies of which the truth is known: who is right about which image, and by how much seeds differ."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from medpeft.statistics.inference import Estimate

# Images, seeds, standard deviation of the seeds' scores, variance over images that seeds share.
GRID = [(n, s, sd, shared) for n in (119, 1503, 4003) for s in (2, 3, 5) for sd in (0.005, 0.02) for shared in (0, 0.3)]


@dataclass(frozen=True)
class Truth:
    """A study of equal methods.

    Args:
        images: Test images.
        seeds: Training seeds.
        deviation: Standard deviation of the scores of seeds.
        shared: Variance over images that all seeds of a method share. All methods share 1, and each seed has .25.
        score: The share of images that a method gets right.
    """

    images: int
    seeds: int
    deviation: float
    shared: float
    score: float = 0.75


def correct(random: np.random.Generator, truth: Truth, methods: int) -> list[np.ndarray]:
    """Return for each method whether each seed is right about each image, float (seeds, images).

    An image is recognised where the sum of what it is to all, to the method and to the seed is above a threshold, which
    every seed moves a little.
    """
    spread = np.sqrt(1.25 + truth.shared)
    threshold = stats.norm.ppf(truth.score)
    moved = truth.deviation / stats.norm.pdf(threshold) * spread
    total = np.sqrt(spread**2 + moved**2)
    image = random.normal(size=truth.images)
    found = []
    for _ in range(methods):
        seen = image + random.normal(0, np.sqrt(truth.shared), truth.images)
        seen = seen + random.normal(0, 0.5, (truth.seeds, truth.images)) + random.normal(0, moved, (truth.seeds, 1))
        found.append((seen > -threshold * total).astype(float))
    return found


def estimate(scores: np.ndarray) -> Estimate:
    """Return the estimate of what each seed (row) scores on each image (column)."""
    return Estimate.of_covariance(scores.mean(axis=1), np.atleast_2d(np.cov(scores)) / scores.shape[1], scores.shape[1])


def error_rates(truth: Truth, studies: int) -> tuple[float, float]:
    """Return how often two equal methods are called different, and how often a score's interval covers the score."""
    random = np.random.default_rng(1)
    wrong = covered = 0
    for _ in range(studies):
        one, other = correct(random, truth, methods=2)
        low, high = estimate(one - other).interval()
        wrong += not low <= 0 <= high
        low, high = estimate(one).interval((0, 1))
        covered += low <= truth.score <= high
    return wrong / studies, covered / studies
