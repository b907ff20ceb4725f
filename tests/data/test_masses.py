"""Masses look as their descriptors say."""

import numpy as np
import pytest
from test_scanner import uniform_tissue

from medpeft.data.simulators.masses import ECHO, Lesion, add_lesion, draw_outline, shape_lesion
from medpeft.data.simulators.scanner import DEPTH, LATERAL, Tissue, envelope


def mass(seed: int = 0, **changes: str) -> Lesion:
    descriptors = {
        "shape": "oval",
        "orientation": "parallel",
        "margin": "circumscribed",
        "echo": "hypoechoic",
        "posterior": "none",
    }
    return shape_lesion(np.random.default_rng(seed), **descriptors | changes)


def drawn(lesion: Lesion, background: float = 0.0) -> Tissue:
    tissue = uniform_tissue(background)
    add_lesion(tissue, lesion, np.zeros_like(tissue.echo))
    return tissue


def test_a_spiculated_outline_is_rougher_than_a_circumscribed_one():
    rng = np.random.default_rng(0)
    length = {
        margin: np.mean([np.abs(np.diff(draw_outline(rng, "oval", margin))).sum() for _ in range(20)])
        for margin in ("circumscribed", "microlobulated", "spiculated")
    }
    assert length["spiculated"] > length["microlobulated"] > 3 * length["circumscribed"]


@pytest.mark.parametrize(("posterior", "sign"), [("enhancement", 1), ("shadowing", -1)])
def test_what_lies_behind_a_mass_is_brighter_or_darker(posterior, sign):
    lesion = mass(posterior=posterior)
    amplitude = envelope(np.random.default_rng(0), drawn(lesion))
    behind = (DEPTH - lesion.depth) / lesion.half_height > 1.3
    beneath = behind & (np.abs(LATERAL - lesion.lateral) < 0.5 * lesion.half_width)
    beside = behind & (np.abs(LATERAL - lesion.lateral) > 1.5 * lesion.half_width)
    change = 20 * np.log10(amplitude[beneath].mean() / amplitude[beside].mean())
    assert 4 < sign * change < 19


def test_masses_are_as_dark_as_their_echo_pattern_says():
    level = {}
    for echo in ECHO:
        lesion = mass(echo=echo)
        core = np.hypot(LATERAL - lesion.lateral, DEPTH - lesion.depth) < 0.5 * lesion.half_height
        level[echo] = envelope(np.random.default_rng(0), drawn(lesion))[core].mean()
    assert level["anechoic"] < level["hypoechoic"] / 3
    assert level["hypoechoic"] < level["isoechoic"] / 1.5
