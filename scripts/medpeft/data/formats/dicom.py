"""DICOM files become what a viewer shows (PS3.3, C.7.6.3 and C.11)."""

import io

import numpy as np
from pydicom import Dataset, FileDataset, dcmread
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from medpeft.base.unpacking import inflates_beyond
from medpeft.data.formats.dicom_codecs import plugin_for
from medpeft.data.formats.picture import ROWS, Picture, Reading, TooLarge, shown

FILE_META = 2  # the group of the elements that describe the file itself
EXTREMES = np.array([-(2**31), 2**31])  # the darkest and the brightest that can be


def read(content: bytes, reading: Reading) -> Picture:
    """Return the picture in a DICOM file, grey or RGB of 8 bits; none of its tags goes along.

    Grey passes through the modality table, then through the first window or value table; 8 bits without one are kept as
    they are, and more are stretched. MONOCHROME1 is inverted, so that high is bright. Padding is black.

    Raises:
        Exception: Of any kind: pydicom names no set of exceptions that a damaged file can raise.
    """
    dataset = _dataset(content, reading)
    if "Rows" not in dataset:
        kind = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", "")
        raise ValueError(f"a DICOM file without a picture, of the kind {UID(kind).name or 'unknown'}")
    reading.check(dataset.Columns, dataset.Rows)
    frame = reading.index(int(dataset.get("NumberOfFrames", None) or 1))
    pixels = pixel_array(dataset, index=frame, decoding_plugin=plugin_for(dataset))
    photometric = dataset.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        return shown(_coloured(pixels, dataset))
    if pixels.ndim == 3:
        return shown(pixels)
    if not photometric.startswith("MONOCHROME"):
        raise ValueError(f"photometric interpretation {photometric}")
    return _grey(pixels, dataset, inverted=photometric == "MONOCHROME1")


def _dataset(content: bytes, reading: Reading) -> FileDataset:
    """Return what a file holds, once it is known to how much it grows."""
    meta, start = _meta(content)
    deflated = meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    if deflated and inflates_beyond(content[start:], reading.most_bytes):
        raise TooLarge(f"more than {reading.most_bytes:,} bytes when it is unpacked")
    dataset = dcmread(io.BytesIO(content), force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _meta(content: bytes) -> tuple[Dataset, int]:
    """Return the elements that describe a file itself, and where they end."""
    stream = io.BytesIO(content)
    read_preamble(stream, force=True)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag.group != FILE_META)
    return meta, stream.tell()


def _coloured(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return the colours of a palette, whose entries of 16 bits go from black to white whatever is used of them."""
    colours = apply_color_lut(pixels, dataset)[..., :3]
    return colours if colours.dtype == np.uint8 else (colours >> 8).astype(np.uint8)


def _grey(pixels: np.ndarray, dataset: Dataset, inverted: bool) -> Picture:
    padding = _padding(pixels, dataset)
    if (ends := _window(dataset)) is not None:
        return shown(_windowed(pixels, dataset, *ends), padding, inverted)
    if pixels.dtype == np.uint8 and dataset.BitsStored == 8:
        return shown(pixels, padding, inverted)
    values = apply_modality_lut(pixels, dataset)
    return shown(values.astype(np.uint16) if values.dtype == np.uint8 else values, padding, inverted)


def _padding(pixels: np.ndarray, dataset: Dataset) -> np.ndarray | None:
    """Return where the file says that there is no picture, bool (H, W), or None where it says nothing."""
    limits = [dataset.get(name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    # A value may be written as unsigned where the pixels are signed: the bits count.
    given = [np.int64(limit).astype(pixels.dtype) for limit in limits if isinstance(limit, int)]
    return (pixels >= min(given)) & (pixels <= max(given)) if given else None


def _window(dataset: Dataset) -> tuple[float, float] | None:
    """Return what the first window or value table makes of black and of white; None where there is neither."""
    width, centre = dataset.get("WindowWidth"), dataset.get("WindowCenter")
    if not dataset.get("VOILUTSequence") and any(value in (None, "") for value in (width, centre)):
        return None
    low, high = apply_voi_lut(EXTREMES, dataset)
    if (low, high) == tuple(EXTREMES):
        return None
    if low == high:
        raise ValueError("a window without a range")
    return float(low), float(high)


def _windowed(pixels: np.ndarray, dataset: Dataset, low: float, high: float) -> np.ndarray:
    """Return `pixels` as the window shows them, uint8, a few rows at a time to hold little in double precision."""
    grey = np.empty(pixels.shape, np.uint8)
    for start in range(0, len(pixels), ROWS):
        rows = slice(start, start + ROWS)
        levels = apply_voi_lut(apply_modality_lut(pixels[rows], dataset), dataset)
        grey[rows] = np.round((levels - low) * (255 / (high - low))).astype(np.uint8)
    return grey
