"""TIFF files: their pages, and those whose values Pillow cannot hold, by tifffile."""

import io
import math
from itertools import islice

import numpy as np
from tifffile import PHOTOMETRIC, TiffFile, TiffPage

from medpeft.data.formats import pillow
from medpeft.data.formats.picture import Picture, Reading, shown

MOST_PAGES = 10_000  # in one file; where more are chained, it is taken for damaged
GREY = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE)
ORIENTATION, NO_DATA = 274, 42113  # tags: how a camera was held; GDAL's marker of what is no picture


def read(content: bytes, reading: Reading) -> Picture:
    """Return the picture in a TIFF file; smaller copies of it and masks in further pages do not count as frames.

    Pages of up to 8 bits are Pillow's. All others are stretched, grey and RGB, integer and floating-point.

    Raises:
        Exception: Of any kind, as damaged files make tifffile and the codecs raise.
    """
    with TiffFile(io.BytesIO(content)) as file:
        pages = [page for page in islice(file.pages, MOST_PAGES + 1) if isinstance(page, TiffPage)]
        if len(pages) > MOST_PAGES:
            raise ValueError(f"more than {MOST_PAGES:,} pages")
        whole = [page for page in pages if not (page.is_reduced or page.is_mask)] or pages[:1]
        page = whole[reading.index(len(whole))]
        _check(page, reading)
        if isinstance(page.bitspersample, int) and page.bitspersample > 8:
            return _deep(page)
        return pillow.read(content, reading, index=page.index)


def _check(page: TiffPage, reading: Reading) -> None:
    """Refuse a page before room is made for it, or for one of the strips or tiles that it is cut into."""
    reading.check(page.imagewidth, page.imagelength * page.imagedepth * -(-page.samplesperpixel // 4))
    reading.check(page.tilewidth, page.tilelength * page.tiledepth)


def _deep(page: TiffPage) -> Picture:
    """Return the picture of a page of more than 8 bits."""
    if page.photometric not in (*GREY, PHOTOMETRIC.RGB):
        raise ValueError(f"{page.bitspersample} bits of the kind {page.photometric!r}, which is neither grey nor RGB")
    if not all(page.databytecounts):
        raise ValueError("parts of the image are missing")
    planes, depth, height, width, channels = page.shaped
    if depth != 1 or (page.photometric in GREY and planes * channels > 2):
        raise ValueError(f"{planes * channels} channels and a depth of {depth}, which is neither grey nor RGB")
    values = page.asarray(squeeze=False, maxworkers=1).reshape(planes, height, width, channels)
    values = np.moveaxis(values[:, :, :, 0], 0, -1) if planes > 1 else values[0]
    marker = _marker(page)
    padding = None if marker is None else (values == marker).any(axis=2)
    inverted = page.photometric == PHOTOMETRIC.MINISWHITE
    return shown(values, padding, inverted).turned(page.tags.valueof(ORIENTATION, 1))


def _marker(page: TiffPage) -> float | None:
    """Return the value that the file itself says to be no picture; what is not finite is none in any case."""
    text = page.tags.valueof(NO_DATA)
    try:
        marker = float(str(text).strip("\0 "))
    except ValueError:
        return None
    return marker if math.isfinite(marker) else None
