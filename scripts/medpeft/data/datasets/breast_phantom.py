"""Simulated breast ultrasound: B-mode phantoms of benign, malignant and normal breasts, made without any download.

Each patient has an anatomy (skin, fat, gland, muscle) and at most one mass, which all of her images show in other
views and under other probe pressure. The picture is formed as a scanner forms it: random scatterers whose strength
follows the tissue, blurred by the point-spread function, weakened along the beam by what lies above, log-compressed.

The words for a mass are those of Stavros et al. 1995 (Radiology 196:123) and of the ACR BI-RADS atlas. How often each
occurs in a class is chosen, not measured, so that the classes overlap as they do in patients: some benign masses look
like cancer, some cancers look benign, and lobules of fat and shadows of ligaments look like masses where there is none.
"""

import csv
import io
import math
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from medpeft.base.errors import UserError
from medpeft.data.archives import Source
from medpeft.data.registry import Archive, Dataset

SEED = 1995
PATIENTS = {"benign": 208, "malignant": 100, "normal": 64}
VIEWS = (1, 2, 1, 4)  # images of the first, second, ... patient of a class, repeated
COLUMNS = ("image", "patient", "label", "caption")

FIELD = 40.0  # side of the square field of view, mm
SAMPLES, LINES = 256, 128  # along the beam and across it; pairs of samples are averaged into square pixels
LOOKS = 2  # steered beams whose amplitudes a compounding scanner averages
STEP = FIELD / SAMPLES  # mm of depth a sample
LATERAL, DEPTH = np.meshgrid(
    np.linspace(-FIELD / 2, FIELD / 2, LINES, dtype=np.float32), np.arange(SAMPLES, dtype=np.float32) * STEP
)
PITCH = 0.5  # mm between the values of a texture
ANGLES = np.linspace(0, 2 * np.pi, 720, endpoint=False, dtype=np.float32)

# Mean echo in dB relative to glandular tissue.
FAT, MUSCLE, SKIN, FASCIA = -13.0, -15.0, 2.0, 5.0
# BI-RADS names the echo of a mass relative to fat.
ECHO = {"anechoic": -42.0, "hypoechoic": -22.0, "isoechoic": FAT, "heterogeneous": -18.0}
# Total excess of attenuation through a mass, dB (both ways), as lowest and highest.
POSTERIOR = {"enhancement": (-9.0, -5.0), "none": (-1.0, 1.0), "shadowing": (8.0, 15.0)}
ASPECT = {"parallel": (0.52, 0.78), "not parallel": (1.22, 1.6), "round": (0.94, 1.06)}  # height / width

# For each class, kinds of mass with their share, then the odds of every descriptor within the kind.
KINDS = {
    "benign": {
        "cyst": (0.22, {
            "shape": {"oval": 0.7, "round": 0.3},
            "parallel": 0.95,
            "margin": {"circumscribed": 1.0},
            "echo": {"anechoic": 1.0},
            "posterior": {"enhancement": 0.85, "none": 0.15},
        }),
        "fibroadenoma": (0.66, {
            "shape": {"oval": 0.86, "round": 0.12, "irregular": 0.02},
            "parallel": 0.95,
            "margin": {"circumscribed": 0.88, "microlobulated": 0.06, "indistinct": 0.06},
            "echo": {"hypoechoic": 0.62, "isoechoic": 0.26, "heterogeneous": 0.12},
            "posterior": {"enhancement": 0.25, "none": 0.6, "shadowing": 0.15},
        }),
        "mimic of cancer": (0.12, {
            "shape": {"irregular": 0.45, "oval": 0.4, "round": 0.15},
            "parallel": 0.75,
            "margin": {"indistinct": 0.5, "circumscribed": 0.2, "microlobulated": 0.15, "angular": 0.15},
            "echo": {"hypoechoic": 0.6, "heterogeneous": 0.3, "isoechoic": 0.1},
            "posterior": {"shadowing": 0.4, "none": 0.6},
        }),
    },
    "malignant": {
        "scirrhous": (0.55, {
            "shape": {"irregular": 0.9, "round": 0.1},
            "parallel": 0.25,
            "margin": {"spiculated": 0.6, "angular": 0.2, "indistinct": 0.2},
            "echo": {"hypoechoic": 0.8, "heterogeneous": 0.2},
            "posterior": {"shadowing": 0.6, "none": 0.4},
        }),
        "infiltrating": (0.32, {
            "shape": {"irregular": 0.85, "oval": 0.08, "round": 0.07},
            "parallel": 0.4,
            "margin": {"indistinct": 0.25, "angular": 0.35, "microlobulated": 0.2, "spiculated": 0.2},
            "echo": {"hypoechoic": 0.52, "heterogeneous": 0.42, "isoechoic": 0.06},
            "posterior": {"none": 0.55, "shadowing": 0.3, "enhancement": 0.15},
        }),
        "high grade": (0.13, {
            "shape": {"oval": 0.4, "round": 0.35, "irregular": 0.25},
            "parallel": 0.6,
            "margin": {"circumscribed": 0.2, "microlobulated": 0.65, "indistinct": 0.15},
            "echo": {"hypoechoic": 0.7, "heterogeneous": 0.3},
            "posterior": {"enhancement": 0.5, "none": 0.5},
        }),
    },
}  # fmt: skip


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


@dataclass(frozen=True)
class View:
    """One placement of the probe: shift in mm, compression of depth (a share), and gain in dB at top and bottom."""

    shift: float
    pressure: float
    gain: tuple[float, float]


@dataclass
class Tissue:
    """What the beam meets: mean echo in dB relative to gland and excess attenuation in dB/mm, (SAMPLES, LINES) each."""

    echo: np.ndarray
    loss: np.ndarray


def pick(rng: np.random.Generator, odds: dict[str, float]) -> str:
    """Return one key of `odds`, drawn with its probability."""
    return str(rng.choice(list(odds), p=list(odds.values())))


def smooth_noise(rng: np.random.Generator, sizes: tuple[float, float]) -> np.ndarray:
    """Return a Gaussian field of unit variance, one value each PITCH, correlated over `sizes` mm (depth, lateral)."""
    field = rng.standard_normal((128, 160), dtype=np.float32)
    field = gaussian_filter(field, [size / PITCH for size in sizes], mode="wrap")
    return field / field.std()


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
        radius += spikes(rng, count=rng.integers(4, 7), height=(0.2, 0.45), width=0.25) - 0.1
    if margin == "spiculated":
        radius += spikes(rng, count=rng.integers(9, 14), height=(0.3, 0.8), width=0.11) - 0.1
    return np.clip(radius, 0.45, 1.9)


def spikes(rng: np.random.Generator, count: int, height: tuple[float, float], width: float) -> np.ndarray:
    """Return, over `ANGLES`, `count` pointed peaks at about equal distances; `width` in radians."""
    peaks = np.zeros_like(ANGLES)
    for place in (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count:
        distance = np.abs((ANGLES - place + np.pi) % (2 * np.pi) - np.pi)
        peaks = np.maximum(peaks, rng.uniform(*height) * np.exp(-distance / width))
    return peaks


def draw_lesion(rng: np.random.Generator, label: str) -> Lesion:
    """Return a mass of class `label`: first its kind, then its descriptors, then the numbers that draw them."""
    kinds = KINDS[label]
    _, odds = kinds[pick(rng, {kind: share for kind, (share, _) in kinds.items()})]
    shape, margin, echo, posterior = (pick(rng, odds[name]) for name in ("shape", "margin", "echo", "posterior"))
    parallel = rng.random() < odds["parallel"]
    orientation = "round" if shape == "round" else "parallel" if parallel else "not parallel"
    return shape_lesion(rng, shape=shape, orientation=orientation, margin=margin, echo=echo, posterior=posterior)


def shape_lesion(
    rng: np.random.Generator, *, shape: str, orientation: str, margin: str, echo: str, posterior: str
) -> Lesion:
    """Return a mass with the given descriptors and a random size, place and contrast that agree with them."""
    aspect, size = rng.uniform(*ASPECT[orientation]), rng.uniform(4.5, 8.5)
    half_height = size * math.sqrt(aspect)
    soft = {"indistinct": 1.1, "spiculated": 0.5}
    halo = {"indistinct": 2.0, "spiculated": 7.0}
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
        edge=soft.get(margin, 0.25),
        echo_level=ECHO[echo] + rng.normal(0, 2.0),
        mottle=5.0 if echo == "heterogeneous" else 1.0,
        loss=rng.uniform(*POSTERIOR[posterior]),
        rim=rng.uniform(3, 9) if margin == "circumscribed" else 0.0,
        outline=draw_outline(rng, shape, margin),
        rays=halo.get(margin, 0.0) * spikes(rng, count=11, height=(0.5, 1.0), width=0.12),
    )


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


def step(distance: np.ndarray, width: float) -> np.ndarray:
    """Return 0 far below, 1 far above a border at signed `distance` mm that is `width` mm soft."""
    return 0.5 + 0.5 * np.tanh(distance / width)


def band(distance: np.ndarray, width: float) -> np.ndarray:
    """Return a bright line along a border at signed `distance` mm: 1 on it, `width` mm thick."""
    return np.exp(-((distance / width) ** 2))


def border(depth: float, waves: np.ndarray, view: View) -> np.ndarray:
    """Return the depth in mm, (1, LINES), of a border that wanders about `depth`; `waves` holds sizes and phases."""
    size, phase = waves[..., None]
    order = np.arange(1, 4, dtype=np.float32)[:, None]
    return depth + 0.9 * (size / order * np.sin(order * (LATERAL[0] + view.shift) / 9 + 3 * phase)).sum(
        axis=0, keepdims=True
    )


def sample(texture: np.ndarray, view: View) -> np.ndarray:
    """Return a patient's `texture` where `view` meets it, (SAMPLES, LINES)."""
    places = [DEPTH / (1 - view.pressure) / PITCH, (LATERAL + view.shift + FIELD) / PITCH]
    return map_coordinates(texture, places, order=1, mode="grid-wrap")


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


def point_spread(scatterers: np.ndarray) -> np.ndarray:
    """Return complex `scatterers` as the probe sees them, with unit gain for white noise.

    The Gaussian point-spread function has an intensity of 0.16 mm (standard deviation) along the beam; across, it is
    narrowest, 0.38 mm, in the focus at 18 mm and widens above and below.
    """
    width = 0.38 * np.sqrt(1 + ((DEPTH[:, :1] - 18) / 16) ** 2) / (FIELD / LINES)
    offsets = range(-6, 7)
    weights = np.exp(-0.25 * (np.array(offsets) / width) ** 2)  # squared, thus in intensity, it has this width
    weights = (weights / np.sqrt((weights**2).sum(axis=1, keepdims=True))).astype(np.float32)
    padded = np.pad(scatterers, ((0, 0), (6, 6)), mode="wrap")
    across = sum(weights[:, [i]] * padded[:, i : i + LINES] for i in range(len(offsets)))
    taps = np.exp(-0.25 * (np.arange(-4, 5) * STEP / 0.16) ** 2)
    taps /= np.sqrt((taps**2).sum())
    rows = np.pad(across, ((4, 4), (0, 0)), mode="wrap")
    return sum(tap * rows[i : i + SAMPLES] for i, tap in enumerate(taps.astype(np.float32)))


def white_noise(rng: np.random.Generator) -> np.ndarray:
    """Return complex Gaussian noise of unit power, complex64 (SAMPLES, LINES)."""
    real, imaginary = rng.standard_normal((2, SAMPLES, LINES), dtype=np.float32) * np.float32(np.sqrt(0.5))
    return real + 1j * imaginary


def envelope(rng: np.random.Generator, tissue: Tissue) -> np.ndarray:
    """Return the echo amplitude of one look at `tissue`, (SAMPLES, LINES): fully developed speckle, thus Rayleigh.

    Gland has a root mean square of 1. The time gain of the scanner has removed the average attenuation, so that `loss`
    is what differs from it, and lifts the noise of the electronics with depth.
    """
    weakened = gaussian_filter1d(np.cumsum(tissue.loss, axis=0) * STEP, 1.5, axis=1)
    field = point_spread(white_noise(rng) * amplitude(tissue.echo)) * amplitude(-weakened)
    return np.abs(field + white_noise(rng) * amplitude(-46 + 0.25 * DEPTH))


def amplitude(decibels: np.ndarray) -> np.ndarray:
    """Return the amplitude ratio of `decibels`, float32."""
    return np.power(10, decibels / 20).astype(np.float32)


def log_compress(amplitudes: np.ndarray, gain: np.ndarray, dynamic_range: float) -> np.ndarray:
    """Return `amplitudes` as grey values, uint8 (LINES, LINES).

    Black and white are `dynamic_range` dB apart; an amplitude of 1 that gets no `gain` (dB) lies at 72 % of the way.
    """
    decibels = 20 * np.log10(amplitudes + 1e-6) + gain
    grey = np.clip((decibels + 0.72 * dynamic_range) / dynamic_range, 0, 1)
    return np.round(255 * grey.reshape(LINES, 2, LINES).mean(axis=1)).astype(np.uint8)


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
    gain = anatomy.gain + np.interp(DEPTH, [0, FIELD], view.gain)
    compounded = np.mean([envelope(rng, tissue) for _ in range(LOOKS)], axis=0)
    return log_compress(compounded, gain, anatomy.dynamic_range)


def describe(lesion: Lesion | None) -> str:
    """Return the caption of a patient's images: the descriptors of the mass in the order of a report."""
    if lesion is None:
        return "Breast ultrasound, normal fibroglandular tissue, no mass."
    words = [f"{lesion.echo} mass", f"{lesion.shape} shape"]
    words += {"parallel": ["wider than tall"], "not parallel": ["taller than wide"], "round": []}[lesion.orientation]
    words += [f"{lesion.margin} margin"]
    words += [{"none": "no posterior features"}.get(lesion.posterior, f"posterior {lesion.posterior}")]
    return f"Breast ultrasound, {', '.join(words)}."


def draw_patient(number: int, label: str, views: int) -> tuple[str, list[bytes]]:
    """Return the caption and the images, as PNG files, of the patient of this `number`, whose seed it is."""
    rng = np.random.default_rng([SEED, number])
    lesion = None if label == "normal" else draw_lesion(rng, label)
    anatomy = draw_anatomy(rng, lesion)
    return describe(lesion), [png(draw_image(rng, anatomy, lesion)) for _ in range(views)]


def write_archive(path: Path, patients: dict[str, int]) -> None:
    """Write the images and `metadata.csv` of so many `patients` of each class as a zip to `path`, in threads.

    Equal library versions on one kind of processor give equal bytes.
    """
    drawn = [(label, VIEWS[i % len(VIEWS)]) for label, count in patients.items() for i in range(count)]
    order = np.random.default_rng(SEED).permutation(len(drawn))
    labels, views = zip(*(drawn[i] for i in order), strict=True)
    numbers = range(1, len(labels) + 1)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    with ThreadPoolExecutor() as pool, zipfile.ZipFile(path, "w") as archive:
        results = pool.map(draw_patient, numbers, labels, views)
        for number, label, (caption, images) in zip(numbers, labels, results, strict=True):
            for view, image in enumerate(images, start=1):
                name = f"patient{number:03d}_{view}.png"
                rows.writerow([name, f"patient{number:03d}", label, caption])
                add_member(archive, f"images/{name}", image)
        add_member(archive, "metadata.csv", table.getvalue().encode())


def png(image: np.ndarray) -> bytes:
    """Return `image` as the bytes of a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG")
    return stream.getvalue()


def add_member(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file to `archive` with a date that is always the same."""
    archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content)


def generate(path: Path) -> None:
    """Write the whole simulated dataset as a zip to `path`; see `write_archive`."""
    write_archive(path, PATIENTS)


def index(archive: Source) -> pd.DataFrame:
    """Return one row an image, as `Dataset.index` promises; a changed `metadata.csv` is a `UserError`."""
    table = pd.read_csv(io.BytesIO(archive.read("metadata.csv")), dtype=str)
    if missing := set(COLUMNS) - set(table.columns):
        raise UserError(
            f"metadata.csv in {archive.path} lacks the columns {sorted(missing)}: delete the archive and run again"
        )
    return pd.DataFrame(
        {
            "image_id": table["image"].str.removesuffix(".png"),
            "group_id": table["patient"],
            "label": table["label"],
            "caption": table["caption"],
            "source_file": archive.path.name + "/images/" + table["image"],
        }
    ).sort_values("image_id", ignore_index=True)


DATASET = Dataset(
    title="Simulated breast ultrasound",
    archives=(Archive(name="breast_phantom.zip", generate=generate),),
    index=index,
    counts={"benign": 416, "malignant": 200, "normal": 128},
    licence="MIT, as this software",
    access="none needed: generated on this machine",
    citation="Descriptors of masses after Stavros et al. 1995, Radiology 196:123-134",
    sizes=(320, 144, 280),  # validation and test cost little, and small ones would show noise
    caveats=("Simulated images: the descriptor frequencies are chosen, and scores say nothing of patients.",),
)
