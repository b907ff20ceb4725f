"""Compressed DICOM files are read, whatever they are compressed by, and what cannot be is named with its syntax."""

import io

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.pixels.decoders.base import get_decoder
from test_dicom import EIGHT, SIDE, VALUES, dicom

from medpeft.base.errors import UserError
from medpeft.data.decode import decode
from medpeft.data.formats import dicom_codecs

COLOUR = np.stack([EIGHT, EIGHT[::-1], EIGHT.T], axis=2)
DEEP_COLOUR = np.stack([VALUES, VALUES[::-1], VALUES.T], axis=2)
TWELVE = {"BitsStored": 12, "HighBit": 11}


def lossless_jpeg(predictor: int):
    def encode(pixels: np.ndarray) -> bytes:
        bits = 8 if pixels.dtype == np.uint8 else 12
        same = {"colorspace": "RGB", "outcolorspace": "RGB"} if pixels.ndim == 3 else {}
        return imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits, predictor=predictor, **same)

    return encode


def jpeg2000(pixels: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="J2K")


LOSSLESS = {
    "JPEG Lossless": (uid.JPEGLossless, lossless_jpeg(6)),
    "JPEG Lossless, first-order": (uid.JPEGLosslessSV1, lossless_jpeg(1)),
    "JPEG-LS": (uid.JPEGLSLossless, imagecodecs.jpegls_encode),
    "JPEG 2000": (uid.JPEG2000Lossless, jpeg2000),
    "high-throughput JPEG 2000": (uid.HTJ2KLossless, imagecodecs.htj2k_encode),
}
LOSSY = {
    "JPEG Extended": (uid.JPEGExtended12Bit, lambda pixels: imagecodecs.jpeg8_encode(pixels, 98, bitspersample=12)),
    "JPEG-LS": (uid.JPEGLSNearLossless, lambda pixels: imagecodecs.jpegls_encode(pixels, level=2)),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_grey_is_what_was_compressed(kind):
    syntax, encode = LOSSLESS[kind]
    found = decode(dicom(VALUES, syntax, [encode(VALUES)], **TWELVE), SIDE, "x").pixels
    assert np.array_equal(found[:, :, 0], np.round(VALUES * (255 / 4095)))
    assert np.array_equal(decode(dicom(EIGHT, syntax, [encode(EIGHT)]), SIDE, "x").pixels[:, :, 0], EIGHT)


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_grey_of_12_bits_is_close(kind):
    syntax, encode = LOSSY[kind]
    found = decode(dicom(VALUES, syntax, [encode(VALUES)], **TWELVE), SIDE, "x").pixels
    assert np.abs(found[:, :, 0] - VALUES * (255 / 4095)).max() <= 2


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_colour_is_what_was_compressed(kind):
    syntax, encode = LOSSLESS[kind]
    assert np.array_equal(decode(dicom(COLOUR, syntax, [encode(COLOUR)]), SIDE, "x").pixels, COLOUR)


@pytest.mark.parametrize("kind", ["JPEG-LS", "JPEG 2000", "high-throughput JPEG 2000"])
def test_lossless_colour_of_12_bits_is_stretched(kind):
    syntax, encode = LOSSLESS[kind]
    found = decode(dicom(DEEP_COLOUR, syntax, [encode(DEEP_COLOUR)], **TWELVE), SIDE, "x").pixels
    assert np.array_equal(found, np.round(DEEP_COLOUR * (255 / 4095)))


@pytest.mark.parametrize("kind", ["JPEG 2000", "high-throughput JPEG 2000"])
def test_colours_that_the_codec_has_turned_back_are_not_turned_again(kind):
    syntax, encode = LOSSLESS[kind]
    content = dicom(COLOUR, syntax, [encode(COLOUR)], PhotometricInterpretation="YBR_RCT")
    assert np.array_equal(decode(content, SIDE, "x").pixels, COLOUR)


@pytest.mark.parametrize("kind", ["JPEG Lossless", "JPEG Lossless, first-order"])
def test_signed_values_of_12_bits_keep_their_sign(kind):
    syntax, encode = LOSSLESS[kind]
    signed = VALUES.astype(int) - 2048
    content = dicom(VALUES, syntax, [encode((signed & 0xFFF).astype(np.uint16))], PixelRepresentation=1, **TWELVE)
    assert np.array_equal(decode(content, SIDE, "x").pixels[:, :, 0], np.round((signed + 2048) * (255 / 4095)))


@pytest.mark.parametrize("kind", LOSSLESS | LOSSY)
@pytest.mark.parametrize("damage", ["cut", "other shape", "nothing"])
def test_a_damaged_frame_is_refused(kind, damage):
    syntax, encode = (LOSSLESS | LOSSY)[kind]
    noise = np.random.default_rng(0).integers(0, 4096, (SIDE, SIDE)).astype(np.uint16)
    whole = encode(noise)
    frame = {"cut": whole[: len(whole) // 2], "other shape": encode(noise[: SIDE // 2]), "nothing": b"no image"}[damage]
    with pytest.raises(UserError, match="x is not a readable image"):
        decode(dicom(noise, syntax, [frame], **TWELVE), SIDE, "x")


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        (uid.UID("1.2.840.10008.1.2.4.102"), "MPEG-4"),
        (uid.UID("1.2.840.10008.1.2.4.92"), "JPEG 2000 Part 2"),
    ],
    ids=["video", "part 2"],
)
def test_a_transfer_syntax_that_is_not_read_is_named(syntax, name):
    with pytest.raises(UserError, match=f"x is not a readable image .*({name})"):
        decode(dicom(VALUES, syntax, [b"anything"]), SIDE, "x")


def test_a_missing_package_is_named(monkeypatch):
    decoder = get_decoder(uid.JPEGLosslessSV1)
    monkeypatch.setattr(decoder, "_available", {})
    monkeypatch.setattr(decoder, "_unavailable", {dicom_codecs.NAME: dicom_codecs.DECODER_DEPENDENCIES[decoder.UID]})
    with pytest.raises(UserError, match=r"JPEG Lossless.*requires imagecodecs"):
        decode(dicom(VALUES, decoder.UID, [lossless_jpeg(1)(VALUES)]), SIDE, "x")


@pytest.mark.parametrize("syntax", dicom_codecs.DECODER_DEPENDENCIES, ids=lambda syntax: syntax.keyword)
def test_other_packages_that_are_installed_change_nothing(syntax):
    """What decompresses is named, never the first that pydicom finds."""
    header = pydicom.dcmread(io.BytesIO(dicom(VALUES, syntax, [b"anything"], **TWELVE)))
    assert dicom_codecs.plugin_for(header) in ("pillow", dicom_codecs.NAME)
