"""Images that Pillow reads. Only formats that medical images come in are opened, whatever a file is called."""

import io

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from medpeft.data.formats.picture import Picture, Reading, TooLarge, shown

# No format that another program interprets (EPS), that refers to other files, or that holds anything but pixels.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "DIB", "GIF", "WEBP", "PPM", "JPEG2000", "TGA")  # TGA has no mark
DEEP_GREY = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of more than 8 bits
DEEP_COLOUR = ";16"  # what Pillow's names for how a file stores colour have in common where it drops the lower 8 bits
SIZE_MARKER = b"\xff\x4f\xff\x51"  # how a codestream of JPEG 2000 begins


def read(content: bytes, reading: Reading, index: int | None = None) -> Picture:
    """Return an image file of any format that Pillow knows and that is meant.

    Grey of more than 8 bits is stretched, and so is colour. Palettes and CMYK become RGB; transparency is ignored. Of a
    JPEG that holds several pictures, as cameras write them, the first is the photograph.

    Args:
        content: Of the file.
        reading: How it is read.
        index: Which of its frames is taken, where the caller has found that out.

    Raises:
        Exception: Of any kind, as damaged files make Pillow and the codecs raise.
    """
    try:
        with open_image(content) as image:
            reading.check(*image.size)
            image.seek(_index(image, reading) if index is None else index)
            reading.check(*image.size)
            return _picture(image, content)
    except Image.DecompressionBombError as error:
        raise TooLarge(str(error)) from error


def _index(image: Image.Image, reading: Reading) -> int:
    """Return which frame is taken."""
    return reading.index(1 if image.format == "MPO" else getattr(image, "n_frames", 1))


def open_image(content: bytes) -> ImageFile.ImageFile:
    """Return the image in a file, not yet decoded; no format but `FORMATS` is tried."""
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ValueError(f"it is none of {', '.join(FORMATS)} or DICOM") from error


def _picture(image: ImageFile.ImageFile, content: bytes) -> Picture:
    deep = _deep_colour(image, content)
    if deep is not None:
        return shown(deep).turned(image.getexif().get(ExifTags.Base.Orientation, 1))
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode in DEEP_GREY:
        return shown(np.asarray(upright))
    return Picture(upright if upright.mode == "L" else upright.convert("RGB"))


def _deep_colour(image: ImageFile.ImageFile, content: bytes) -> np.ndarray | None:
    """Return the values of colour, or of grey with alpha, of more than 8 bits; None where Pillow drops none of them."""
    if image.mode in DEEP_GREY or not image.tile:
        return None
    codec, _, offset, options = image.tile[0]
    if image.format == "PNG" and DEEP_COLOUR in str(options):
        return _deep_png(image, content)
    if image.format == "PPM" and isinstance(options, tuple) and options[-1] > 255:
        return _deep_ppm(image, content, codec, offset)
    if image.format == "JPEG2000" and _bits(content) > 8:
        return _deep_jpeg2000(image, content)
    return None


def _deep_png(image: Image.Image, content: bytes) -> np.ndarray:
    from imagecodecs import apng_decode

    return apng_decode(content, index=image.tell())


def _deep_ppm(image: Image.Image, content: bytes, codec: str, offset: int) -> np.ndarray:
    """Return the values of a portable pixmap, which are big-endian."""
    if codec != "ppm":
        raise ValueError("a portable pixmap of more than 8 bits as text: save it as PNG")
    shape = (image.height, image.width, len(image.getbands()))
    return np.frombuffer(content, ">u2", int(np.prod(shape)), offset).reshape(shape)


def _deep_jpeg2000(image: Image.Image, content: bytes) -> np.ndarray:
    from imagecodecs import jpeg2k_decode

    image.load()  # refuses what is cut off, which the codec would fill
    return jpeg2k_decode(content)


def _bits(content: bytes) -> int:
    """Return of how many bits the first component of a JPEG 2000 image is."""
    start = content.find(SIZE_MARKER)
    return (content[start + 42] & 0x7F) + 1
