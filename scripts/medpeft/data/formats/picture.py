"""What every reader gives, a picture of 8 bits made of values of any range and depth, and the bounds of its reading."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

LARGEST_IMAGE = 90.0  # megapixels; a study's key `largest_image` allows more
BYTES_A_PIXEL = 6  # of colour with 16 bits: what is unpacked may not grow beyond this many for the largest image
MARKER_GAP = 2  # ranges of all other values that lie between them and a marker, at least
MARKED_VALUES = 16  # distinct values that there are beside a marker, at least: fewer are a mask or a map of labels
ROWS = 256  # of an array that are worked on at once


class TooLarge(ValueError):
    """A file announces, or grows to, more than an image may have."""


@dataclass(frozen=True)
class Reading:
    """How image files are read and made square.

    Args:
        fit: `crop` keeps the centre square, `pad` adds black borders, `squash` changes the aspect ratio.
        frame: Which frame is taken of a file that holds several: `first`, `middle`, or its number from 1; None refuses
            such files.
        largest: Megapixels that an image may have.
    """

    fit: str = "crop"
    frame: str | int | None = None
    largest: float = LARGEST_IMAGE

    @property
    def most_bytes(self) -> int:
        """To how many bytes the content of a file may grow when it is unpacked."""
        return int(self.largest * 1e6) * BYTES_A_PIXEL

    def check(self, width: int, height: int) -> None:
        """Refuse an image before room is made for its pixels."""
        if width * height > self.largest * 1e6:
            raise TooLarge(f"{width:,} x {height:,} pixels")

    def index(self, count: int) -> int:
        """Return which of the `count` frames of a file is taken, from 0."""
        if count == 1:
            return 0
        if self.frame is None:
            raise ValueError(
                f"{count} frames in one file: a dataset of your own says by its key `frame` which one is meant"
            )
        found = {"first": 0, "middle": count // 2}.get(str(self.frame))
        index = int(self.frame) - 1 if found is None else found
        if index >= count:
            raise ValueError(f"there is no frame {index + 1} of {count}: correct the dataset's key `frame`")
        return index

    @contextmanager
    def bounding_pillow(self) -> Iterator[None]:
        """Let Pillow, which other readers also call, accept images as large as these."""
        usual = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = int(self.largest * 1e6)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `check` refuses what it warns of
                yield
        finally:
            Image.MAX_IMAGE_PIXELS = usual


class Picture(NamedTuple):
    """An upright image of mode L or RGB.

    Attributes:
        image: Its pixels.
        not_finite: How many pixels had a value that is no number (NaN) or infinite.
        masked: How many pixels were padding or held a marker.
    """

    image: Image.Image
    not_finite: int = 0
    masked: int = 0

    def turned(self, orientation: int) -> "Picture":
        """Return this picture with a camera's rotation undone, which EXIF counts from 1 to 8."""
        if orientation == 1:
            return self
        self.image.getexif()[ExifTags.Base.Orientation] = orientation
        return self._replace(image=ImageOps.exif_transpose(self.image))


def shown(values: np.ndarray, padding: np.ndarray | None = None, inverted: bool = False) -> Picture:
    """Return a picture of `values`: 8 bits as they are, all others stretched from their own lowest to their highest.

    What is no picture is black and left out of the range: values that are not finite, the `padding`, and markers. A
    marker is the lowest or the highest of all values, where it lies further from the others than `MARKER_GAP` times
    their range: -32000 beside the values of a CT, 65535 beside 12 bits.

    Args:
        values: (H, W) or (H, W, channels), real numbers of any type: grey, grey with alpha, RGB or RGB with alpha.
        padding: Where the file itself says that there is no picture, bool (H, W).
        inverted: Whether low values are bright.
    """
    values = _without_alpha(values)
    if values.dtype == np.uint8:
        grey = 255 - values if inverted else values.copy()
        if padding is not None:
            grey[padding] = 0
        return Picture(Image.fromarray(grey), masked=0 if padding is None else int(padding.sum()))
    low, high = _range(values, padding)
    factor = 255 / (high - low) if high > low else 0.0
    grey, not_finite, hidden = np.zeros(values.shape, np.uint8), 0, 0
    with np.errstate(invalid="ignore", over="ignore"):
        for rows, block, valid in _blocks(values, padding):
            hides = ~(valid & (block >= low) & (block <= high))
            if values.ndim == 3:
                hides[:] = hides.any(axis=2, keepdims=True)
            levels = np.round((block.astype(np.float64) - low) * factor)
            np.copyto(grey[rows], 255 - levels if inverted else levels, where=~hides, casting="unsafe")
            not_finite += _pixels(~np.isfinite(block))
            hidden += _pixels(hides)
    return Picture(Image.fromarray(grey), not_finite, hidden - not_finite)


def _without_alpha(values: np.ndarray) -> np.ndarray:
    """Return (H, W) or (H, W, 3) of an array of pixels."""
    if values.dtype.kind not in "biuf" or 0 in values.shape:
        raise ValueError(f"an array {values.shape} of {values.dtype}")
    if values.ndim == 2:
        return values
    if values.ndim != 3 or values.shape[2] > 4:
        raise ValueError(f"an array {values.shape}, which is neither grey nor RGB")
    return values[:, :, 0] if values.shape[2] < 3 else values[:, :, :3]


def _range(values: np.ndarray, padding: np.ndarray | None) -> tuple[float, float]:
    """Return the lowest and the highest of those values that are a picture."""
    low, high = _extremes(values, padding)
    inner_low, inner_high = _extremes(values, padding, low, high)
    gap = MARKER_GAP * (inner_high - inner_low)
    below, above = inner_low - low > gap, high - inner_high > gap
    if (below or above) and _are_many(values, padding, low, high):
        return inner_low if below else low, inner_high if above else high
    return low, high


def _extremes(
    values: np.ndarray, padding: np.ndarray | None, above: float = -math.inf, below: float = math.inf
) -> tuple[float, float]:
    """Return the lowest and the highest value between two bounds, NaN where there is none."""
    lows, highs = [], []
    for _, block, valid in _blocks(values, padding):
        inner = block[valid & (block > above) & (block < below)]
        if inner.size:
            lows.append(float(inner.min()))
            highs.append(float(inner.max()))
    return (min(lows), max(highs)) if lows else (math.nan, math.nan)


def _are_many(values: np.ndarray, padding: np.ndarray | None, above: float, below: float) -> bool:
    """Tell whether there are enough distinct values between two bounds for a picture."""
    found: set[float] = set()
    for _, block, valid in _blocks(values, padding):
        found.update(np.unique(block[valid & (block > above) & (block < below)]).tolist())
        if len(found) >= MARKED_VALUES:
            return True
    return False


def _blocks(values: np.ndarray, padding: np.ndarray | None) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield some rows at a time with where their values count, so that memory never holds a second copy of all."""
    for start in range(0, len(values), ROWS):
        rows = slice(start, start + ROWS)
        valid = np.isfinite(values[rows])
        if padding is not None:
            valid &= ~(padding[rows] if values.ndim == 2 else padding[rows, :, None])
        yield rows, values[rows], valid


def _pixels(where: np.ndarray) -> int:
    """Return how many pixels have a channel that is True."""
    return int((where.any(axis=2) if where.ndim == 3 else where).sum())
