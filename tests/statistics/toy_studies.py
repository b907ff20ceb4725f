"""Made-up studies of which the truth is known: who is right about which image, and by how much seeds differ."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


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
