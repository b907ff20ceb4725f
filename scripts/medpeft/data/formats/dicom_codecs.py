"""The codecs that decompress the pixels of DICOM files: always the same ones, whatever else is installed.

pydicom finds its codecs among the packages that are there. What Pillow reads is read by Pillow, run lengths by pydicom
itself, and all else by imagecodecs, for which pydicom has no plugin: this module is one.
"""

from collections.abc import Callable

import numpy as np
from pydicom import Dataset
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

NAME = "imagecodecs"
JPEG = (JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
HIGH_THROUGHPUT = (HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)
DECODER_DEPENDENCIES = dict.fromkeys(
    (*JPEG, JPEGLSLossless, JPEGLSNearLossless, JPEG2000, JPEG2000Lossless, *HIGH_THROUGHPUT), (NAME,)
)
END = b"\xff\xd9"  # of what is compressed in any of these ways


def plugin_for(dataset: Dataset) -> str:
    """Return the name of pydicom's plugin that decompresses the pixels of `dataset`; empty where none is needed."""
    syntax, deep = dataset.file_meta.TransferSyntaxUID, dataset.BitsStored > 8
    if syntax == JPEGBaseline8Bit or (syntax == JPEGExtended12Bit and not deep):
        return "pillow"
    if syntax in (JPEG2000, JPEG2000Lossless) and not (deep and dataset.SamplesPerPixel > 1):
        return "pillow"
    if syntax == RLELossless:
        return "pydicom"
    return NAME if syntax in DECODER_DEPENDENCIES else ""


def is_available(syntax: UID) -> bool:
    """Tell pydicom whether this module decompresses a transfer syntax."""
    return syntax in DECODER_DEPENDENCIES


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Return the decompressed pixels of one frame, which must have the shape that the file announces.

    `runner` is pydicom's, and is told how the pixels lie.
    """
    if not source.rstrip(b"\0").endswith(END):
        raise ValueError("the compressed picture is cut off")  # which some codecs fill
    shape = (runner.rows, runner.columns, runner.samples_per_pixel)
    pixels = np.empty(shape if shape[2] > 1 else shape[:2], _type(runner))
    _codec(runner.transfer_syntax)(source, pixels)
    runner.set_option("bits_allocated", 8 * pixels.itemsize)
    if shape[2] > 1:
        runner.set_option("planar_configuration", 0)
    if runner.photometric_interpretation in ("YBR_ICT", "YBR_RCT"):  # undone by the codec
        runner.set_option("photometric_interpretation", "RGB")
    return pixels.tobytes()


def _type(runner: DecodeRunner) -> str:
    """Return of which type the codec gives the pixels."""
    kind, bits = "u", runner.bits_allocated
    if runner.transfer_syntax in JPEGLSTransferSyntaxes:
        bits = runner.get_option("jls_precision")
    elif runner.transfer_syntax in JPEG2000TransferSyntaxes:
        bits = runner.get_option("j2k_precision")
        kind = "i" if runner.get_option("j2k_is_signed") else "u"
    return f"{kind}{1 if bits <= 8 else 2}"


def _codec(syntax: UID) -> Callable[[bytes, np.ndarray], object]:
    """Return a function that decompresses a frame into an array and refuses one of another shape or type."""
    import imagecodecs

    if syntax in JPEG:
        return _decode_jpeg
    if syntax in JPEGLSTransferSyntaxes:
        return lambda source, pixels: imagecodecs.jpegls_decode(source, out=pixels)
    if syntax in HIGH_THROUGHPUT:
        return lambda source, pixels: imagecodecs.htj2k_decode(source, out=pixels)
    return lambda source, pixels: imagecodecs.jpeg2k_decode(source, out=pixels)


def _decode_jpeg(source: bytes, pixels: np.ndarray) -> None:
    """Decompress JPEG of any depth, lossless or not; colours stay as they are stored, for pydicom converts them."""
    import imagecodecs

    same = "RGB" if pixels.ndim == 3 else None
    imagecodecs.jpeg8_decode(source, out=pixels, colorspace=same, outcolorspace=same)


for _syntax in DECODER_DEPENDENCIES:
    get_decoder(_syntax).add_plugin(NAME, (__name__, "decode_frame"))
