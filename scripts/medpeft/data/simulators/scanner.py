"""How an ultrasound scanner forms its B-mode image of tissue.

The tissue is full of random scatterers whose strength follows its echo. The scanner blurs them by its point-spread
function, what lies above weakens the beam, and the logarithm of the amplitude is shown as grey.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

FIELD = 40.0  # side of the square field of view, mm
SAMPLES, LINES = 256, 128  # along the beam and across it; pairs of samples are averaged into square pixels
LOOKS = 2  # steered beams whose amplitudes a compounding scanner averages
STEP = FIELD / SAMPLES  # mm of depth a sample
LATERAL, DEPTH = np.meshgrid(
    np.linspace(-FIELD / 2, FIELD / 2, LINES, dtype=np.float32), np.arange(SAMPLES, dtype=np.float32) * STEP
)
PITCH = 0.5  # mm between the values of a texture

# Mean echo in dB relative to glandular tissue.
FAT, MUSCLE, SKIN, FASCIA = -13.0, -15.0, 2.0, 5.0


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


def smooth_noise(rng: np.random.Generator, sizes: tuple[float, float]) -> np.ndarray:
    """Return a Gaussian field of unit variance, one value each PITCH, correlated over `sizes` mm (depth, lateral)."""
    field = rng.standard_normal((128, 160), dtype=np.float32)
    field = gaussian_filter(field, [size / PITCH for size in sizes], mode="wrap")
    return field / field.std()


def sample(texture: np.ndarray, view: View) -> np.ndarray:
    """Return a patient's `texture` where `view` meets it, (SAMPLES, LINES)."""
    places = [DEPTH / (1 - view.pressure) / PITCH, (LATERAL + view.shift + FIELD) / PITCH]
    return map_coordinates(texture, places, order=1, mode="grid-wrap")


def step(distance: np.ndarray, width: float) -> np.ndarray:
    """Return 0 far below, 1 far above a border at signed `distance` mm that is `width` mm soft."""
    return 0.5 + 0.5 * np.tanh(distance / width)


def band(distance: np.ndarray, width: float) -> np.ndarray:
    """Return a bright line along a border at signed `distance` mm: 1 on it, `width` mm thick."""
    return np.exp(-((distance / width) ** 2))


def compounded(rng: np.random.Generator, tissue: Tissue) -> np.ndarray:
    """Return the mean echo amplitude of all `LOOKS` at `tissue`, (SAMPLES, LINES)."""
    return np.stack([envelope(rng, tissue) for _ in range(LOOKS)]).mean(axis=0)


def envelope(rng: np.random.Generator, tissue: Tissue) -> np.ndarray:
    """Return the echo amplitude of one look at `tissue`, (SAMPLES, LINES): fully developed speckle, thus Rayleigh.

    Gland has a root mean square of 1. The scanner's time gain has removed the average attenuation: `loss` is what
    differs from it. The time gain also lifts the noise of the electronics with depth.
    """
    weakened = gaussian_filter1d(np.cumsum(tissue.loss, axis=0) * STEP, 1.5, axis=1)
    field = point_spread(white_noise(rng) * amplitude(tissue.echo)) * amplitude(-weakened)
    return np.abs(field + white_noise(rng) * amplitude(-46 + 0.25 * DEPTH))


def white_noise(rng: np.random.Generator) -> np.ndarray:
    """Return complex Gaussian noise of unit power, complex64 (SAMPLES, LINES)."""
    real, imaginary = rng.standard_normal((2, SAMPLES, LINES), dtype=np.float32) * np.float32(np.sqrt(0.5))
    return real + 1j * imaginary


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


def amplitude(decibels: np.ndarray) -> np.ndarray:
    """Return the amplitude ratio of `decibels`, float32."""
    return np.power(10, decibels / 20).astype(np.float32)


def time_gain(top: float, bottom: float) -> np.ndarray:
    """Return a gain that goes evenly from `top` to `bottom` of the image, dB, (SAMPLES, LINES)."""
    return np.asarray(np.interp(DEPTH, [0, FIELD], [top, bottom]))


def log_compress(amplitudes: np.ndarray, gain: np.ndarray, dynamic_range: float) -> np.ndarray:
    """Return `amplitudes` as grey values, uint8 (LINES, LINES).

    Black and white are `dynamic_range` dB apart; an amplitude of 1 that gets no `gain` (dB) lies at 72 % of the way.
    """
    decibels = 20 * np.log10(amplitudes + 1e-6) + gain
    grey = np.clip((decibels + 0.72 * dynamic_range) / dynamic_range, 0, 1)
    return np.round(255 * grey.reshape(LINES, 2, LINES).mean(axis=1)).astype(np.uint8)
