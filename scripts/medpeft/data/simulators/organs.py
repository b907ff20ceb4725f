"""Simulated ultrasound of six organs other than the breast, each image with a caption: what `pretrain` learns from.

The organs differ in what surrounds a mass: vessels in the liver, the bright sinus of the kidney, windpipe and artery
beside the thyroid, the coat of the testis, the hilum of a lymph node, the fibres of muscle. Every image is of a patient
of its own.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medpeft.data.simulators.archive import Drawn, png, write
from medpeft.data.simulators.masses import Lesion, add_lesion, describe, pick, shape_lesion
from medpeft.data.simulators.scanner import (
    DEPTH,
    FAT,
    FIELD,
    LATERAL,
    MUSCLE,
    SKIN,
    Tissue,
    View,
    band,
    compounded,
    log_compress,
    sample,
    smooth_noise,
    step,
    time_gain,
)

SEED = 1942
IMAGES_PER_ORGAN = 2000
FLUID = -42.0  # dB relative to gland, as all echoes here
NORMAL = 0.25  # share of the images without a mass

SHAPES = {"oval": 0.45, "round": 0.25, "irregular": 0.3}
MARGINS = {
    "oval": {"circumscribed": 0.6, "microlobulated": 0.2, "indistinct": 0.2},
    "round": {"circumscribed": 0.6, "microlobulated": 0.2, "indistinct": 0.2},
    "irregular": {"spiculated": 0.3, "angular": 0.3, "indistinct": 0.2, "microlobulated": 0.2},
}
ECHOES = {"anechoic": 0.2, "hypoechoic": 0.4, "isoechoic": 0.15, "heterogeneous": 0.25}
POSTERIORS = {"enhancement": 0.3, "none": 0.4, "shadowing": 0.3}


@dataclass(frozen=True)
class Textures:
    """Random fields of unit variance, (SAMPLES, LINES): `coarse` ones and `fine` ones."""

    coarse: np.ndarray
    fine: np.ndarray


def ellipse(lateral: float, depth: float, half_width: float, half_height: float) -> np.ndarray:
    """Return the signed distance in mm, about, from an ellipse: negative inside."""
    radius = np.hypot((LATERAL - lateral) / half_width, (DEPTH - depth) / half_height)
    return (radius - 1) * np.sqrt(half_width * half_height)


def fill(tissue: Tissue, outside: np.ndarray, echo: np.ndarray | float, wall: float = 0.0) -> None:
    """Give `tissue` the `echo` where `outside`, a signed distance, is negative; a `wall` in dB around it, in place."""
    tissue.echo += step(-outside, 0.3) * (echo - tissue.echo) + wall * band(outside, 0.5)


def covering(rng: np.random.Generator, textures: Textures, thickness: float) -> Tissue:
    """Return skin, fat and a layer of muscle, `thickness` mm in all, over tissue of 0 dB."""
    muscle = MUSCLE + 10 * band(np.sin(2.4 * DEPTH + textures.fine), 0.3)
    border = thickness * rng.uniform(0.4, 0.6) + 0.5 * textures.coarse
    echo = FAT + 1.5 * textures.fine + step(DEPTH - border, 0.3) * (muscle - FAT)
    echo += step(DEPTH - thickness - 0.4 * textures.coarse, 0.4) * (0 - echo)
    skin = rng.uniform(1.0, 2.0)
    return Tissue(echo=SKIN + step(DEPTH - skin, 0.2) * (echo - SKIN), loss=np.zeros_like(echo))


def tube(rng: np.random.Generator, tissue: Tissue, top: float, wall: float) -> None:
    """Draw a vessel that crosses the image below the depth `top`, in place."""
    slope, depth = rng.uniform(-0.8, 0.8), rng.uniform(top, FIELD)
    bend = rng.uniform(1, 4) * np.sin(LATERAL / rng.uniform(5, 9) + rng.uniform(0, 6))
    fill(tissue, np.abs(DEPTH - depth - slope * LATERAL - bend) - rng.uniform(0.6, 1.8), FLUID, wall)


def liver(rng: np.random.Generator, textures: Textures) -> Tissue:
    """Return liver: an even parenchyma with vessels, and the diaphragm below it."""
    skin = rng.uniform(5, 9)
    tissue = covering(rng, textures, skin)
    tissue.echo += step(DEPTH - skin, 0.4) * (rng.uniform(-9, -3) + 1.2 * textures.fine)
    for _ in range(rng.integers(1, 4)):
        tube(rng, tissue, skin + 4, rng.choice([0.0, 5.0]))
    if rng.random() < 0.5:
        diaphragm = DEPTH - rng.uniform(31, 37) - 0.012 * (LATERAL - rng.uniform(-8, 8)) ** 2
        tissue.echo += 14 * band(diaphragm, 0.7)
        tissue.loss += 3 * band(diaphragm, 0.7)
    return tissue


def kidney(rng: np.random.Generator, textures: Textures) -> Tissue:
    """Return kidney: a dark cortex with darker pyramids around a bright sinus."""
    tissue = covering(rng, textures, rng.uniform(6, 9))
    centre = (rng.uniform(-3, 3), rng.uniform(20, 25), rng.uniform(15, 19), rng.uniform(9, 12))
    cortex = ellipse(*centre)
    fill(tissue, cortex, rng.uniform(-13, -8) + 1.2 * textures.fine, wall=5)
    angle = np.arctan2(DEPTH - centre[1], LATERAL - centre[0])
    pyramids = np.abs(np.sin(angle * rng.integers(3, 5))) - 0.55
    fill(tissue, np.maximum(np.abs(cortex + 5) - 1.6, -3 * pyramids), -20.0)
    sinus = ellipse(*centre[:2], 0.55 * centre[2], 0.38 * centre[3])
    fill(tissue, sinus + textures.coarse, 3 + 2.5 * textures.fine)
    return tissue


def thyroid(rng: np.random.Generator, textures: Textures) -> Tissue:
    """Return a lobe of the thyroid between the windpipe, which casts a shadow, and the carotid artery."""
    tissue = covering(rng, textures, rng.uniform(5, 8))
    side = rng.choice([-1, 1])
    tissue.echo += MUSCLE * step(DEPTH - rng.uniform(24, 30) - textures.coarse, 0.5)
    fill(tissue, ellipse(0, rng.uniform(15, 18), 15, rng.uniform(7, 9)), rng.uniform(-3, 2) + textures.fine, wall=3)
    windpipe = ellipse(-17 * side, 17, 8, 8)
    fill(tissue, windpipe, -25.0, wall=12)
    tissue.loss += 1.5 * step(-windpipe, 0.3)
    fill(tissue, ellipse(rng.uniform(14, 17) * side, rng.uniform(16, 20), 3.2, 3.2), FLUID, wall=6)
    return tissue


def testis(rng: np.random.Generator, textures: Textures) -> Tissue:
    """Return a testis: an even oval within a bright coat, sometimes in fluid."""
    skin = rng.uniform(2, 4)
    tissue = covering(rng, textures, skin)
    tissue.echo += step(DEPTH - skin, 0.4) * (rng.choice([FLUID, -10.0], p=[0.3, 0.7]) + textures.fine)
    outline = ellipse(rng.uniform(-2, 2), rng.uniform(17, 21), rng.uniform(14, 18), rng.uniform(9, 12))
    fill(tissue, outline, rng.uniform(-4, 1) + 0.8 * textures.fine, wall=7)
    return tissue


def lymph_node(rng: np.random.Generator, textures: Textures) -> Tissue:
    """Return a dark lymph node with its bright hilum in the fat of the neck, beside a vein."""
    tissue = covering(rng, textures, rng.uniform(3, 5))
    tissue.echo += step(DEPTH - 4, 0.5) * (FAT + 6 * band(textures.coarse, 0.2))
    place = rng.uniform(-4, 4), rng.uniform(15, 22)
    width, height = rng.uniform(8, 14), rng.uniform(5, 8)
    fill(tissue, ellipse(*place, width, height), -19 + textures.fine, wall=4)
    fill(tissue, ellipse(*place, 0.5 * width, 0.3 * height), 2 + 2 * textures.fine)
    fill(tissue, ellipse(rng.choice([-1, 1]) * rng.uniform(12, 17), rng.uniform(12, 28), 3, 2.5), FLUID, wall=3)
    return tissue


def muscle(rng: np.random.Generator, textures: Textures) -> Tissue:
    """Return striated muscle over the surface of a bone, which casts a shadow."""
    tissue = covering(rng, textures, rng.uniform(4, 8))
    slope = rng.uniform(-0.25, 0.25)
    fibres = np.sin(rng.uniform(1.2, 2.0) * (DEPTH + slope * LATERAL) + textures.coarse)
    tissue.echo += step(DEPTH - 8, 0.5) * (MUSCLE + 11 * band(fibres, 0.35) + textures.fine)
    bone = DEPTH - rng.uniform(30, 38) - 0.01 * (LATERAL - rng.uniform(-10, 10)) ** 2
    tissue.echo += 18 * band(bone, 0.6)
    tissue.loss += 8 * step(bone, 0.3)
    return tissue


def add_mottle(rng: np.random.Generator, tissue: Tissue, textures: Textures) -> None:
    """Make `tissue` uneven, in place: more in one patient than in another, and strands of scar in a third of them."""
    tissue.echo += rng.uniform(0, 4) * textures.fine
    if rng.random() < 1 / 3:
        tissue.echo += rng.uniform(4, 12) * band(textures.coarse - 0.3, 0.16)


ORGANS = {
    "liver": liver,
    "kidney": kidney,
    "thyroid": thyroid,
    "testis": testis,
    "lymph node": lymph_node,
    "muscle": muscle,
}


def draw_lesion(rng: np.random.Generator) -> Lesion:
    """Return a mass with random descriptors."""
    shape = pick(rng, SHAPES)
    orientation = "round" if shape == "round" else pick(rng, {"parallel": 0.5, "not parallel": 0.5})
    margin, echo, posterior = pick(rng, MARGINS[shape]), pick(rng, ECHOES), pick(rng, POSTERIORS)
    lesion = shape_lesion(rng, shape=shape, orientation=orientation, margin=margin, echo=echo, posterior=posterior)
    return replace(lesion, depth=lesion.depth + rng.uniform(0, 6))


def caption(organ: str, lesion: Lesion | None) -> str:
    """Return the caption: the organ, then the mass in the words of a report."""
    return f"Ultrasound of the {organ}, {describe(lesion) if lesion else 'no mass'}."


def draw(number: int, organ: str) -> tuple[str, bytes]:
    """Return the caption and the PNG file of the image of this `number`, whose seed it is."""
    rng = np.random.default_rng([SEED, number])
    still = View(shift=rng.normal(0, 3), pressure=0.0, gain=(0.0, 0.0))
    textures = Textures(*(sample(smooth_noise(rng, size), still) for size in ((1.8, 3.6), (0.5, 1.3))))
    tissue = ORGANS[organ](rng, textures)
    add_mottle(rng, tissue, textures)
    lesion = None if rng.random() < NORMAL else draw_lesion(rng)
    if lesion:
        add_lesion(tissue, lesion, textures.fine)
    gain = rng.normal(0, 5) + time_gain(rng.normal(0, 2), rng.normal(-3, 2.5))
    amplitudes = compounded(rng, tissue)
    return caption(organ, lesion), png(log_compress(amplitudes, gain, rng.uniform(46, 74)))


def draw_organs(images: int) -> Iterator[Drawn]:
    """Yield so many `images` of each organ, the organs in turn, drawn in threads."""
    organs = list(ORGANS) * images
    with ThreadPoolExecutor() as pool:
        for number, (text, image) in enumerate(pool.map(draw, range(len(organs)), organs)):
            yield Drawn(f"{number:05d}", f"{number:05d}", organs[number], text, image)


def generate(path: Path) -> None:
    """Write the whole simulated dataset as a zip to `path`."""
    write(path, draw_organs(IMAGES_PER_ORGAN))
