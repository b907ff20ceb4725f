"""Image files of many kinds, made here, and what becomes of them."""

import io

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from medpeft.data.decode import decode
from medpeft.data.formats.picture import Reading

SIDE = 40


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    """Return an image file as Pillow saves it."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def gradient(height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """Return a grey image (height, width) uint8 that rises from left to right."""
    return np.tile(np.linspace(0, 255, width).round().astype(np.uint8), (height, 1))


def square(content: bytes, size: int = SIDE, **reading) -> np.ndarray:
    """Return the pixels that are made of a file."""
    return decode(content, size, "x", Reading(**reading)).pixels


def tiff(values: np.ndarray, **options) -> bytes:
    """Return a TIFF file of an array, of several where it is a list."""
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for page in values if isinstance(values, list) else [values]:
            writer.write(page, metadata=None, **options)
    return stream.getvalue()


def array(values: np.ndarray) -> bytes:
    """Return an array as NumPy saves it."""
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def pixmap(values: np.ndarray) -> bytes:
    """Return a portable pixmap of 16 bits."""
    height, width, _ = values.shape
    return f"P6\n{width} {height}\n65535\n".encode() + values.astype(">u2").tobytes()


def jpeg2000(values: np.ndarray) -> bytes:
    """Return a lossless JPEG 2000 file."""
    return imagecodecs.jpeg2k_encode(values, level=0, codecformat="JP2")


def png(values: np.ndarray) -> bytes:
    """Return a PNG file of 8 or 16 bits."""
    return imagecodecs.png_encode(values)
