"""Masses in ultrasound: their descriptors, the numbers that draw them, and the words of a report.

The words for a mass are those of Stavros et al. 1995 (Radiology 196:123) and of the ACR BI-RADS atlas.
"""

import math
from dataclasses import dataclass

import numpy as np

from medpeft.data.simulators.scanner import DEPTH, FAT, LATERAL, Tissue, band, step

ANGLES = np.linspace(0, 2 * np.pi, 720, endpoint=False, dtype=np.float32)
# BI-RADS names the echo of a mass relative to fat.
ECHO = {"anechoic": -42.0, "hypoechoic": -22.0, "isoechoic": FAT, "heterogeneous": -18.0}
# Total excess of attenuation through a mass, dB (both ways), as lowest and highest.
POSTERIOR = {"enhancement": (-9.0, -5.0), "none": (-1.0, 1.0), "shadowing": (8.0, 15.0)}
ASPECT = {"parallel": (0.52, 0.78), "not parallel": (1.22, 1.6), "round": (0.94, 1.06)}  # height / width
SOFT_EDGE = {"indistinct": 1.1, "spiculated": 0.5}  # width of the rim, mm
HALO = {"indistinct": 2.0, "spiculated": 7.0}  # echo of the strands around a mass, dB


@dataclass(frozen=True)
class Lesion:
    """A mass: its BI-RADS descriptors, and the numbers that draw them.

    `orientation` is `round` where height and width agree. Sizes and places are in mm, `echo_level` in dB relative to
    gland, `loss` in dB through the whole mass, `edge` the width of the rim in mm. `outline` and `rays` give, for each
    of `ANGLES`, the radius relative to the ellipse and the echo of strands around the mass in dB; `rim` is the echo of
    a capsule and `mottle` the spread of the echo inside, in dB.
    """

    shape: str
    orientation: str
    margin: str
    echo: str
    posterior: str
    lateral: float
    depth: float
    half_width: float
    half_height: float
    tilt: float
    edge: float
    echo_level: float
    mottle: float
    loss: float
    rim: float
    outline: np.ndarray
    rays: np.ndarray


def pick(rng: np.random.Generator, odds: dict[str, float]) -> str:
    """Return one key of `odds`, drawn with its probability."""
    return str(rng.choice(list(odds), p=list(odds.values())))


def shape_lesion(
    rng: np.random.Generator, *, shape: str, orientation: str, margin: str, echo: str, posterior: str
) -> Lesion:
    """Return a mass with the given descriptors and a random size, place and contrast that agree with them."""
    aspect, size = rng.uniform(*ASPECT[orientation]), rng.uniform(4.5, 8.5)
    half_height = size * math.sqrt(aspect)
    return Lesion(
        shape=shape,
        orientation=orientation,
        margin=margin,
        echo=echo,
        posterior=posterior,
        lateral=rng.uniform(-6, 6),
        depth=rng.uniform(max(10.0, half_height + 4), max(16.0, half_height + 6)),
        half_width=size / math.sqrt(aspect),
        half_height=half_height,
        tilt=rng.normal(0, 0.12),
        edge=SOFT_EDGE.get(margin, 0.25),
        echo_level=ECHO[echo] + rng.normal(0, 2.0),
        mottle=5.0 if echo == "heterogeneous" else 1.0,
        loss=rng.uniform(*POSTERIOR[posterior]),
        rim=rng.uniform(3, 9) if margin == "circumscribed" else 0.0,
        outline=draw_outline(rng, shape, margin),
        rays=HALO.get(margin, 0.0) * spikes(rng, count=11, height=(0.5, 1.0), width=0.12),
    )


def draw_outline(rng: np.random.Generator, shape: str, margin: str) -> np.ndarray:
    """Return the radius of the mass relative to its ellipse at each of `ANGLES`."""
    radius = np.ones_like(ANGLES)
    ripple = 0.13 if shape == "irregular" else 0.025
    for order in (3, 4, 5, 6):  # an ellipse has order 2: more of it would change the orientation
        radius += ripple * rng.normal() / (order / 3) * np.cos(order * ANGLES + rng.uniform(0, 2 * np.pi))
    if margin == "microlobulated":
        lobes = rng.integers(8, 13)
        radius += 0.2 * (np.abs(np.sin(lobes * ANGLES / 2 + rng.uniform(0, np.pi))) - 0.6)
    if margin == "angular":
        radius += spikes(rng, count=int(rng.integers(4, 7)), height=(0.2, 0.45), width=0.25) - 0.1
    if margin == "spiculated":
        radius += spikes(rng, count=int(rng.integers(9, 14)), height=(0.3, 0.8), width=0.11) - 0.1
    return np.clip(radius, 0.45, 1.9)


def spikes(rng: np.random.Generator, count: int, height: tuple[float, float], width: float) -> np.ndarray:
    """Return, over `ANGLES`, `count` pointed peaks at about equal distances; `width` in radians."""
    peaks = np.zeros_like(ANGLES)
    for place in (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count:
        distance = np.abs((ANGLES - place + np.pi) % (2 * np.pi) - np.pi)
        peaks = np.maximum(peaks, rng.uniform(*height) * np.exp(-distance / width))
    return peaks


def around(angle: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return, for each `angle` in radians, the nearest of `values`, which belong to `ANGLES`."""
    return values[np.rint(angle * (len(ANGLES) / (2 * np.pi))).astype(int) % len(ANGLES)]


def add_lesion(tissue: Tissue, lesion: Lesion, texture: np.ndarray) -> None:
    """Draw `lesion` into `tissue`, in place; `texture` mottles a heterogeneous one."""
    right, down = LATERAL - lesion.lateral, DEPTH - lesion.depth
    cosine, sine = math.cos(lesion.tilt), math.sin(lesion.tilt)
    across = (cosine * right + sine * down) / lesion.half_width
    along = (cosine * down - sine * right) / lesion.half_height
    angle = np.arctan2(along, across)
    size = math.sqrt(lesion.half_width * lesion.half_height)
    outside = (np.hypot(across, along) - around(angle, lesion.outline)) * size
    inside = step(-outside, lesion.edge)

    strands = around(angle, lesion.rays) * np.exp(-np.maximum(outside, 0) / 3)
    tissue.echo += strands + inside * (lesion.echo_level + lesion.mottle * texture - tissue.echo - strands)
    tissue.echo += lesion.rim * band(outside - 0.2, 0.35)
    refraction = 1.2 * (lesion.rim > 0) * band(outside, 0.5) * step(np.abs(across) - 0.92, 0.05)
    tissue.loss += inside * lesion.loss / (2 * lesion.half_height) + refraction


def describe(lesion: Lesion) -> str:
    """Return the descriptors of `lesion` in the order of a report."""
    words = [f"{lesion.echo} mass", f"{lesion.shape} shape"]
    words += {"parallel": ["wider than tall"], "not parallel": ["taller than wide"], "round": []}[lesion.orientation]
    words += [f"{lesion.margin} margin"]
    words += [{"none": "no posterior features"}.get(lesion.posterior, f"posterior {lesion.posterior}")]
    return ", ".join(words)
