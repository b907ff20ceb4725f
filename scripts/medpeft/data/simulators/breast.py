"""Simulated breast ultrasound: B-mode phantoms of benign, malignant and normal breasts.

Each patient has an anatomy (skin, fat, gland, muscle) and at most one mass. All of her images show them, in other views
and under other probe pressure.

How often each descriptor of a mass occurs in a class is chosen, not measured, so that the classes overlap as they do in
patients. Some benign masses look like cancer, some cancers look benign. Lobules of fat and shadows of ligaments look
like masses where there is none.
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
    FASCIA,
    FAT,
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

SEED = 1995
PATIENTS = {"benign": 208, "malignant": 100, "normal": 64}
VIEWS = (1, 2, 1, 4)  # images of the first, second, ... patient of a class, repeated


@dataclass(frozen=True)
class Kind:
    """A kind of mass: its share of the masses of a class, and the odds of every descriptor within it."""

    share: float
    shape: dict[str, float]
    parallel: float
    margin: dict[str, float]
    echo: dict[str, float]
    posterior: dict[str, float]


KINDS = {
    "benign": {
        "cyst": Kind(
            share=0.22,
            shape={"oval": 0.7, "round": 0.3},
            parallel=0.95,
            margin={"circumscribed": 1.0},
            echo={"anechoic": 1.0},
            posterior={"enhancement": 0.85, "none": 0.15},
        ),
        "fibroadenoma": Kind(
            share=0.66,
            shape={"oval": 0.86, "round": 0.12, "irregular": 0.02},
            parallel=0.95,
            margin={"circumscribed": 0.88, "microlobulated": 0.06, "indistinct": 0.06},
            echo={"hypoechoic": 0.62, "isoechoic": 0.26, "heterogeneous": 0.12},
            posterior={"enhancement": 0.25, "none": 0.6, "shadowing": 0.15},
        ),
        "mimic of cancer": Kind(
            share=0.12,
            shape={"irregular": 0.45, "oval": 0.4, "round": 0.15},
            parallel=0.75,
            margin={"indistinct": 0.5, "circumscribed": 0.2, "microlobulated": 0.15, "angular": 0.15},
            echo={"hypoechoic": 0.6, "heterogeneous": 0.3, "isoechoic": 0.1},
            posterior={"shadowing": 0.4, "none": 0.6},
        ),
    },
    "malignant": {
        "scirrhous": Kind(
            share=0.55,
            shape={"irregular": 0.9, "round": 0.1},
            parallel=0.25,
            margin={"spiculated": 0.6, "angular": 0.2, "indistinct": 0.2},
            echo={"hypoechoic": 0.8, "heterogeneous": 0.2},
            posterior={"shadowing": 0.6, "none": 0.4},
        ),
        "infiltrating": Kind(
            share=0.32,
            shape={"irregular": 0.85, "oval": 0.08, "round": 0.07},
            parallel=0.4,
            margin={"indistinct": 0.25, "angular": 0.35, "microlobulated": 0.2, "spiculated": 0.2},
            echo={"hypoechoic": 0.52, "heterogeneous": 0.42, "isoechoic": 0.06},
            posterior={"none": 0.55, "shadowing": 0.3, "enhancement": 0.15},
        ),
        "high grade": Kind(
            share=0.13,
            shape={"oval": 0.4, "round": 0.35, "irregular": 0.25},
            parallel=0.6,
            margin={"circumscribed": 0.2, "microlobulated": 0.65, "indistinct": 0.15},
            echo={"hypoechoic": 0.7, "heterogeneous": 0.3},
            posterior={"enhancement": 0.5, "none": 0.5},
        ),
    },
}


@dataclass(frozen=True)
class Anatomy:
    """The breast around a mass, and the scanner's setting for it.

    `skin`, `fat` and `muscle` are the depths in mm where skin and fat end and muscle begins, the latter two wandering
    by `waves`; `lobules` and `mottle` are coarse and fine textures; `gain` and `dynamic_range` are in dB.
    """

    skin: float
    fat: float
    muscle: float
    waves: np.ndarray
    lobules: np.ndarray
    mottle: np.ndarray
    gain: float
    dynamic_range: float


def draw_lesion(rng: np.random.Generator, label: str) -> Lesion:
    """Return a mass of class `label`: first its kind, then its descriptors, then the numbers that draw them."""
    kinds = KINDS[label]
    kind = kinds[pick(rng, {name: kind.share for name, kind in kinds.items()})]
    shape, margin, echo, posterior = (pick(rng, odds) for odds in (kind.shape, kind.margin, kind.echo, kind.posterior))
    parallel = rng.random() < kind.parallel
    orientation = "round" if shape == "round" else "parallel" if parallel else "not parallel"
    return shape_lesion(rng, shape=shape, orientation=orientation, margin=margin, echo=echo, posterior=posterior)


def draw_anatomy(rng: np.random.Generator, lesion: Lesion | None) -> Anatomy:
    """Return a breast; its muscle lies below the `lesion`."""
    deepest = lesion.depth + lesion.half_height if lesion else 0.0
    return Anatomy(
        skin=rng.uniform(1.2, 2.2),
        fat=rng.uniform(5.0, 12.0),
        muscle=max(rng.uniform(24.0, 34.0), deepest + 2.5),
        waves=rng.standard_normal((2, 2, 3), dtype=np.float32),
        lobules=smooth_noise(rng, (1.8, 3.6)),
        mottle=smooth_noise(rng, (0.5, 1.3)),
        gain=rng.normal(0, 5.0),
        dynamic_range=rng.uniform(46, 74),
    )


def draw_view(rng: np.random.Generator) -> View:
    """Return a placement of the probe."""
    return View(
        shift=rng.normal(0, 2.5), pressure=rng.uniform(-0.05, 0.05), gain=(rng.normal(0, 2.0), rng.normal(-3, 2.5))
    )


def other_section(rng: np.random.Generator, lesion: Lesion, view: View) -> Lesion:
    """Return `lesion` as `view` cuts it: moved, a little larger or smaller, flattened by pressure, another contour."""
    scale, turn = rng.uniform(0.88, 1.12), int(rng.normal(0, 15))
    return replace(
        lesion,
        lateral=lesion.lateral - view.shift,
        depth=lesion.depth * (1 - view.pressure),
        half_width=lesion.half_width * scale * (1 + view.pressure / 2),
        half_height=lesion.half_height * scale * (1 - view.pressure),
        tilt=lesion.tilt + rng.normal(0, 0.05),
        outline=np.roll(lesion.outline, turn),
        rays=np.roll(lesion.rays, turn),
    )


def border(depth: float, waves: np.ndarray, view: View) -> np.ndarray:
    """Return the depth in mm, (1, LINES), of a border that wanders about `depth`; `waves` holds sizes and phases."""
    size, phase = waves[..., None]
    order = np.arange(1, 4, dtype=np.float32)[:, None]
    return depth + 0.9 * (size / order * np.sin(order * (LATERAL[0] + view.shift) / 9 + 3 * phase)).sum(
        axis=0, keepdims=True
    )


def layers(anatomy: Anatomy, view: View) -> Tissue:
    """Return the breast without a mass: skin, fat with septa, gland with lobules of fat, fascia and striated muscle."""
    depth = DEPTH / (1 - view.pressure)
    lobules, mottle = sample(anatomy.lobules, view), sample(anatomy.mottle, view)
    to_muscle = depth - border(anatomy.muscle, anatomy.waves[1], view)
    gland = step(depth - border(anatomy.fat, anatomy.waves[0], view) - 1.5 * lobules, 0.4)
    muscle = step(to_muscle, 0.3)

    fat = FAT + 1.5 * mottle + 14 * band(lobules - 0.3, 0.16)
    fibrous = 3.5 * mottle - 9 * step(-lobules - 1.1, 0.25)
    striated = MUSCLE + 10 * band(np.sin(2.2 * to_muscle + mottle), 0.3)
    echo = fat + gland * (fibrous - fat)
    echo += muscle * (striated - echo) + (FASCIA - echo) * band(to_muscle, 0.45)
    echo = SKIN + step(depth - anatomy.skin, 0.2) * (echo - SKIN) + 6 * band(depth - anatomy.skin, 0.25)
    return Tissue(echo=echo, loss=0.3 * muscle)


def add_ligament(rng: np.random.Generator, tissue: Tissue) -> None:
    """Draw a steep Cooper's ligament into `tissue`, in place: a bright strand that casts a shadow."""
    top, place, slope = rng.uniform(4, 12), rng.uniform(-14, 14), rng.normal(0, 0.6)
    length, width = rng.uniform(4, 9), rng.uniform(1.0, 3.0)
    along = step(DEPTH - top, 0.5) * step(top + length - DEPTH, 0.5)
    across = LATERAL - place - slope * (DEPTH - top)
    tissue.echo += 8 * along * band(across, 0.6)
    tissue.loss += along * band(across, width) * rng.uniform(6, 14) / length


def add_lobule(rng: np.random.Generator, tissue: Tissue, texture: np.ndarray) -> None:
    """Draw a lobule of fat within the gland into `tissue`, in place: it resembles an isoechoic mass."""
    lobule = shape_lesion(
        rng, shape="oval", orientation="parallel", margin="circumscribed", echo="isoechoic", posterior="none"
    )
    lobule = replace(lobule, lateral=rng.uniform(-16, 16), echo_level=FAT, loss=0.0, rim=rng.uniform(0, 6))
    add_lesion(tissue, lobule, texture)


def draw_image(rng: np.random.Generator, anatomy: Anatomy, lesion: Lesion | None) -> np.ndarray:
    """Return one view of a patient as a grey image, uint8 (LINES, LINES)."""
    view = draw_view(rng)
    tissue = layers(anatomy, view)
    texture = sample(anatomy.mottle[::-1], view)
    if rng.random() < 0.4:
        add_lobule(rng, tissue, texture)
    if lesion:
        add_lesion(tissue, other_section(rng, lesion, view), texture)
    if rng.random() < 0.5:
        add_ligament(rng, tissue)
    gain = anatomy.gain + time_gain(*view.gain)
    return log_compress(compounded(rng, tissue), gain, anatomy.dynamic_range)


def caption(lesion: Lesion | None) -> str:
    """Return the caption of a patient's images: what they show, in the words of a report."""
    shown = describe(lesion) if lesion else "normal fibroglandular tissue, no mass"
    return f"Breast ultrasound, {shown}."


def draw_patient(number: int, label: str, views: int) -> tuple[str, list[bytes]]:
    """Return the caption and the images, as PNG files, of the patient of this `number`, whose seed it is."""
    rng = np.random.default_rng([SEED, number])
    lesion = None if label == "normal" else draw_lesion(rng, label)
    anatomy = draw_anatomy(rng, lesion)
    return caption(lesion), [png(draw_image(rng, anatomy, lesion)) for _ in range(views)]


def draw_patients(patients: dict[str, int]) -> Iterator[Drawn]:
    """Yield the images of so many `patients` of each class, drawn in threads, in a random order of the patients."""
    drawn = [(label, VIEWS[i % len(VIEWS)]) for label, count in patients.items() for i in range(count)]
    order = np.random.default_rng(SEED).permutation(len(drawn))
    labels, views = zip(*(drawn[i] for i in order), strict=True)
    numbers = range(1, len(labels) + 1)
    with ThreadPoolExecutor() as pool:
        results = pool.map(draw_patient, numbers, labels, views)
        for number, label, (text, images) in zip(numbers, labels, results, strict=True):
            patient = f"patient{number:03d}"
            for view, image in enumerate(images, start=1):
                yield Drawn(f"{patient}_{view}", patient, label, text, image)


def generate(path: Path) -> None:
    """Write the whole simulated dataset as a zip to `path`.

    Equal library versions on one kind of processor give equal bytes.
    """
    write(path, draw_patients(PATIENTS))
