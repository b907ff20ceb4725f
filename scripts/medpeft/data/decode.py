"""One image file of any common format to a square of 8-bit RGB."""

import io

import numpy as np
from PIL import Image, ImageOps

from medpeft.base.errors import UserError

DEEP_GREY = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of more than 8 bits


def decode(content: bytes, size: int, place: str) -> np.ndarray:
    """Return an image file as (size, size, 3) uint8 RGB: the centre square, resized.

    The largest centred square is resampled by Pillow's bicubic filter, which widens with the reduction and so does not
    alias. The shorter side is resized and the longer one cropped, as evaluation transforms do. A camera's rotation
    (EXIF) is undone. Grey of more than 8 bits is stretched from its own lowest to its highest value. Palettes and CMYK
    become RGB; transparency is ignored. A DICOM file is shown through its first window where it has one. An array as
    NumPy saves it is an image too.

    Args:
        content: The bytes of the file.
        size: Side of the square in pixels.
        place: Where the file lies, for messages.

    Raises:
        UserError: The image is damaged, of an unknown format, or a decompression bomb.
    """
    try:
        if content[128:132] == b"DICM":
            picture = _dicom(content)
        elif content.startswith(np.lib.format.MAGIC_PREFIX):
            picture = Image.fromarray(np.load(io.BytesIO(content), allow_pickle=False))
        else:
            picture = _picture(content)
        return np.asarray(_square(picture, size).convert("RGB"))  # grey is resized as one channel: a third of the work
    except Image.DecompressionBombError as error:
        raise UserError(f"{place} is refused for its size ({error}): replace the archive by a sound copy") from error
    except (OSError, SyntaxError, ValueError, EOFError, TypeError) as error:
        raise UserError(
            f"{place} is not a readable image ({error}): put a sound copy in its place, or delete the archive and run "
            "again to fetch it once more"
        ) from error


def _picture(content: bytes) -> Image.Image:
    """Return an image file of any format that Pillow knows as grey or RGB of 8 bits, upright."""
    with Image.open(io.BytesIO(content)) as image:
        _refuse_bomb(*image.size)
        image.load()
        upright = ImageOps.exif_transpose(image)
    if upright.mode in DEEP_GREY:
        return Image.fromarray(_stretched(np.asarray(upright)))
    return upright if upright.mode == "L" else upright.convert("RGB")


def _refuse_bomb(width: int, height: int) -> None:
    """Refuse what Pillow only warns of; warnings cannot be made errors in one thread alone."""
    if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError(f"{width} x {height} pixels")


def _dicom(content: bytes) -> Image.Image:
    """Return the picture in a DICOM file, grey or RGB of 8 bits; none of its tags goes along.

    Grey passes through the modality table, then through the first window or value table; 8 bits without one are kept as
    they are, and more are stretched. MONOCHROME1 is inverted, so that high is bright (DICOM PS3.3, C.7.6.3.1.2, C.11).
    """
    try:
        return _shown(content)
    except Image.DecompressionBombError:
        raise
    except Exception as error:  # pydicom names no set of exceptions that a damaged file can raise
        raise ValueError(f"DICOM: {' '.join(str(error).split())}") from error


def _shown(content: bytes) -> Image.Image:
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    dataset = dcmread(io.BytesIO(content))
    _refuse_bomb(dataset.Columns, dataset.Rows)
    if int(dataset.get("NumberOfFrames", None) or 1) > 1:
        raise ValueError(f"{dataset.NumberOfFrames} frames in one file")
    pixels = dataset.pixel_array
    if pixels.ndim == 3:
        return Image.fromarray(pixels)
    if not dataset.PhotometricInterpretation.startswith("MONOCHROME"):
        raise ValueError(f"photometric interpretation {dataset.PhotometricInterpretation}")
    if dataset.get("WindowWidth") or dataset.get("VOILUTSequence"):
        low, high = apply_voi_lut(np.array([-(2**31), 2**31]), dataset)  # the darkest and the brightest that can be
        shown = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset)
        grey = np.round((shown - low) * (255 / (high - low))).astype(np.uint8)
    else:
        grey = pixels if pixels.dtype == np.uint8 else _stretched(apply_modality_lut(pixels, dataset))
    return Image.fromarray(255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Return `values` as uint8, their lowest as 0 and their highest as 255."""
    values = values.astype(np.float64)
    low, high = values.min(), values.max()
    stretched = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    return np.round(stretched).astype(np.uint8)


def _square(image: Image.Image, size: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
