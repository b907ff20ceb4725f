"""Speckle and grey values are as theory says."""

import numpy as np
import pytest

from medpeft.data.simulators.scanner import DEPTH, LINES, SAMPLES, Tissue, envelope, log_compress


def uniform_tissue(echo: float = 0.0) -> Tissue:
    shape = (SAMPLES, LINES)
    return Tissue(echo=np.full(shape, echo, np.float32), loss=np.zeros(shape, np.float32))


def test_speckle_of_uniform_tissue_is_rayleigh():
    rng = np.random.default_rng(0)
    amplitude = np.stack([envelope(rng, uniform_tissue()) for _ in range(8)])
    assert amplitude.mean() / amplitude.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.02)  # 1.91
    assert (amplitude**2).mean() == pytest.approx(1, rel=0.03)


def test_speckle_is_finest_in_the_focus():
    rng = np.random.default_rng(0)
    amplitude = np.stack([envelope(rng, uniform_tissue()) for _ in range(8)])

    def likeness(top, bottom):
        rows = amplitude[:, (DEPTH[:, 0] >= top) & (DEPTH[:, 0] < bottom)]
        return np.corrcoef(rows[..., :-3].ravel(), rows[..., 3:].ravel())[0, 1]

    assert likeness(14, 22) + 0.1 < likeness(32, 40)


def test_log_compression_is_linear_in_decibels():
    tissue_10_db_apart = np.ones((SAMPLES, LINES)) * np.repeat([0.1, 0.1 * 10**0.5], LINES // 2)
    grey = log_compress(tissue_10_db_apart, gain=np.zeros(1), dynamic_range=60).astype(int)
    assert grey[0, -1] - grey[0, 0] == pytest.approx(255 * 10 / 60, abs=1)
