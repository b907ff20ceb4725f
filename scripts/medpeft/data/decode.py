"""One image file of any common format to a square of 8-bit RGB."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from medpeft.base.errors import UserError
from medpeft.data.archives import MEND_FILE
from medpeft.data.formats import pillow
from medpeft.data.formats.marks import is_dicom, is_tiff
from medpeft.data.formats.picture import Picture, Reading, TooLarge, shown

DARK = 16  # grey levels up to here are nearly black
LEAST_LIGHT = 0.01  # share of the pixels of an image that are lighter, at least, where it is not nearly black


class Decoded(NamedTuple):
    """A square made of an image file, and what is to be said of that file's pixels.

    Attributes:
        pixels: (size, size, 3) uint8, RGB.
        width: Of the upright image in the file.
        height: Of the same.
        not_finite: How many of its pixels had a value that is no number, or infinite.
        masked: How many of its pixels were padding or held a marker.
        constant: Whether all pixels of the square that come from the image are the same.
        nearly_black: Whether fewer than `LEAST_LIGHT` of these are lighter than `DARK`, although not all are the same.
    """

    pixels: np.ndarray
    width: int
    height: int
    not_finite: int
    masked: int
    constant: bool
    nearly_black: bool


def decode(content: bytes, size: int, place: str, reading: Reading | None = None, remedy: str = MEND_FILE) -> Decoded:
    """Return an image file as a square of `size` pixels of 8-bit RGB, resampled by Pillow's bicubic filter.

    The filter widens with the reduction and so does not alias. `crop` takes the largest centred square, as evaluation
    transforms do. A camera's rotation (EXIF) is undone. More than 8 bits are stretched from their own lowest to their
    highest value; see `medpeft.data.formats.picture.shown`. Palettes and CMYK become RGB; transparency is ignored. A
    DICOM file is shown through its first window where it has one. An array as NumPy saves it is an image too. What a
    file is, its content tells, not its name.

    Args:
        content: The bytes of the file.
        size: Side of the square in pixels.
        place: Where the file lies, for messages.
        reading: How files are read and fitted to the square.
        remedy: What to do about a damaged file, for messages.

    Raises:
        UserError: The image is damaged, of another format, has several frames, or is larger than it may be.
    """
    reading = reading or Reading()
    try:
        with reading.bounding_pillow():
            picture = _picture(content, reading)
            return _square(picture, size, reading.fit)
    except TooLarge as error:
        raise UserError(
            f"{place} is refused for its size ({error}, where {reading.largest:g} megapixels are allowed): give the "
            "study's key `largest_image` a larger value if the image is what it should be"
        ) from error
    except MemoryError:  # says nothing of the image
        raise
    except Exception as error:  # codecs name no set of exceptions that a damaged file can raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{place} is not a readable image ({reason}): {remedy}") from error


def _picture(content: bytes, reading: Reading) -> Picture:
    """Return what the reader for the format of a file makes of it; slow libraries are imported when they are needed."""
    if content.startswith(np.lib.format.MAGIC_PREFIX):
        return shown(np.load(io.BytesIO(content), allow_pickle=False))
    if is_dicom(content):
        from medpeft.data.formats import dicom

        return dicom.read(content, reading)
    if is_tiff(content):
        from medpeft.data.formats import tiff

        return tiff.read(content, reading)
    return pillow.read(content, reading)


def _square(picture: Picture, size: int, fit: str) -> Decoded:
    image = picture.image
    part = np.asarray(_resized(image, size, fit).convert("RGB"))  # grey is resized as one channel: a third of the work
    constant = bool((part == part[0, 0]).all())
    light = (part.max(axis=2) > DARK).mean()
    pixels = np.zeros((size, size, 3), np.uint8)
    top, left = ((size - side) // 2 for side in part.shape[:2])
    pixels[top : top + part.shape[0], left : left + part.shape[1]] = part
    dark = not constant and bool(light < LEAST_LIGHT)
    return Decoded(pixels, *image.size, picture.not_finite, picture.masked, constant, dark)


def _resized(image: Image.Image, size: int, fit: str) -> Image.Image:
    """Return what of an image goes into a square of `size` pixels, which `pad` does not fill."""
    if fit == "crop":
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    longer = max(image.size) if fit == "pad" else None
    shape = [max(1, round(size * side / longer)) if longer else size for side in image.size]
    return image.resize((shape[0], shape[1]), Image.Resampling.BICUBIC)
