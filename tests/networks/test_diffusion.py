"""Noise of diffusion: no two steps or images of any runs share it."""

import numpy as np

from medpeft.networks.diffusion import noise_seed


def test_seeds_of_noise_are_far_apart():
    """Otherwise the steps or images of one run would repeat those of another a little later."""
    starts = np.sort([noise_seed(seed, 0) for seed in range(1000)])
    assert np.diff(starts).min() > 1_000_000
    assert noise_seed(3, 8) == noise_seed(3, 7) + 1
