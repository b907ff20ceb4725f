"""Values of any depth and range become 8 bits that show them: colour as grey, and no marker flattens a picture."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from pictures import SIDE, array, encoded, gradient, jpeg2000, pixmap, png, square, tiff
from PIL import Image

from medpeft.base.errors import UserError
from medpeft.data.decode import decode

GREY = np.linspace(0, 4095, SIDE * SIDE).round().astype(np.uint16).reshape(SIDE, SIDE)  # 12 bits in 16
COLOUR = np.stack([GREY, GREY[::-1], GREY.T], axis=2)
OPAQUE = np.full((SIDE, SIDE, 1), 65535, np.uint16)
DEEP = {
    "PNG": png(COLOUR),
    "PNG with alpha": png(np.concatenate([COLOUR, OPAQUE], axis=2)),
    "TIFF": tiff(COLOUR, photometric="rgb"),
    "TIFF with alpha": tiff(np.concatenate([COLOUR, OPAQUE], axis=2), photometric="rgb", extrasamples=["unassalpha"]),
    "TIFF, big-endian, deflated": tiff(COLOUR.astype(">u2"), photometric="rgb", compression="zlib", predictor=True),
    "TIFF, one plane a channel": tiff(np.moveaxis(COLOUR, 2, 0), photometric="rgb", planarconfig="separate"),
    "TIFF, tiles, LZW": tiff(COLOUR, photometric="rgb", tile=(16, 16), compression="lzw"),
    "TIFF, 32 bits": tiff(COLOUR.astype(np.uint32), photometric="rgb"),
    "TIFF, floating-point": tiff(COLOUR.astype(np.float32), photometric="rgb"),
    "portable pixmap": pixmap(COLOUR),
    "JPEG 2000": jpeg2000(COLOUR),
    "array": array(COLOUR),
}


def stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return what grey or colour should become, written out once more."""
    shown = np.round((values.astype(float) - low) * (255 / (high - low))).clip(0, 255)
    return shown if values.ndim == 3 else np.repeat(shown[:, :, None], 3, axis=2)


@pytest.mark.parametrize("kind", DEEP)
def test_deep_colour_is_stretched_as_grey_is(kind):
    assert np.array_equal(square(DEEP[kind]), stretched(COLOUR, 0, 4095))


@pytest.mark.parametrize(
    "content",
    [
        png(np.concatenate([GREY[:, :, None], OPAQUE], axis=2)),
        tiff(np.concatenate([GREY[:, :, None], OPAQUE], axis=2), photometric="minisblack", extrasamples=["unassalpha"]),
        tiff(GREY.astype(np.int16) - 1000),
        tiff(GREY.astype(np.float64) * 1e6),
        jpeg2000(GREY),
        array(GREY),
        array(GREY.astype(np.int64) - 5),
    ],
    ids=["PNG with alpha", "TIFF with alpha", "signed", "64 bits", "JPEG 2000", "array", "signed array"],
)
def test_deep_grey_is_stretched_whatever_holds_it(content):
    assert np.array_equal(square(content), stretched(GREY, 0, 4095))


def test_half_precision_is_read():
    halves = GREY.astype(np.float16)
    assert np.array_equal(square(tiff(halves)), stretched(halves, 0, float(halves.max())))


def test_low_values_are_bright_where_the_file_says_so():
    inverted = square(tiff(GREY, photometric="miniswhite"))
    assert np.array_equal(inverted, 255 - stretched(GREY, 0, 4095))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_cameras_rotation_of_deep_colour_is_undone(kind):
    if kind == "PNG":
        exif = Image.Exif()
        exif[0x0112] = 6
        plain, chunk = png(COLOUR), exif.tobytes().removeprefix(b"Exif\0\0")
        content = plain[:33] + _chunk(b"eXIf", chunk) + plain[33:]
    else:
        content = tiff(COLOUR, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    assert np.array_equal(square(content), np.rot90(stretched(COLOUR, 0, 4095), -1))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("values", [[np.nan], [np.inf], [-np.inf], [np.nan, np.inf, -np.inf]], ids=str)
@pytest.mark.parametrize("write", [tiff, array], ids=["TIFF", "array"])
def test_what_is_no_number_is_black_counted_and_not_in_the_range(write, values):
    image = GREY.astype(np.float32) / 4095
    image[0, : len(values)] = values
    found = decode(write(image), SIDE, "x")
    expected = stretched(image, image[np.isfinite(image)].min(), 1)
    expected[0, : len(values)] = 0
    assert np.array_equal(found.pixels, expected)
    assert found.not_finite == len(values)
    assert found.masked == 0


def test_an_image_without_any_number_is_black_and_constant():
    found = decode(tiff(np.full((SIDE, SIDE), np.nan, np.float32)), SIDE, "x")
    assert found.constant
    assert found.not_finite == SIDE * SIDE


MARKERS = {
    "65535 beside 12 bits": (np.uint16, 65535),
    "-32000 beside 12 bits": (np.int16, -32000),
    "-32768": (np.int16, -32768),
    "32767": (np.int16, 32767),
    "-9999": (np.float32, -9999),
    "lowest of single precision": (np.float32, np.finfo(np.float32).min),
    "1e20": (np.float64, 1e20),
}


@pytest.mark.parametrize("name", MARKERS)
@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_a_marker_far_from_all_other_values_is_black_and_not_in_the_range(name, colour):
    kind, marker = MARKERS[name]
    image = (COLOUR if colour else GREY).astype(kind)
    image[:3] = marker
    found = decode(tiff(image, **({"photometric": "rgb"} if colour else {})), SIDE, "x")
    expected = stretched(image[3:], image[3:].min(), image[3:].max())
    assert np.array_equal(found.pixels[3:], expected)
    assert (found.pixels[:3] == 0).all()
    assert found.masked == 3 * SIDE


def test_markers_at_both_ends_are_left_out():
    image = GREY.astype(np.int16)
    image[0], image[1] = -32768, 32767
    found = decode(tiff(image), SIDE, "x")
    assert np.array_equal(found.pixels[2:], stretched(image[2:], image[2:].min(), 4095))
    assert found.masked == 2 * SIDE


def test_a_marker_that_the_file_declares_is_left_out_however_near_it_lies():
    image = GREY.copy()
    image[:2] = 5000
    found = decode(tiff(image, extratags=[(42113, "s", 5, "5000", True)]), SIDE, "x")
    assert np.array_equal(found.pixels[2:], stretched(image[2:], image[2:].min(), 4095))
    assert found.masked == 2 * SIDE


@pytest.mark.parametrize(
    "image",
    [
        np.where(GREY > 2000, 65535, 0).astype(np.uint16),
        (GREY // 1000 * 100 + np.where(GREY > 4000, 60000, 0)).astype(np.uint16),
        np.where(GREY > 4000, 8000, GREY).astype(np.uint16),
        np.geomspace(1, 65535, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE),
    ],
    ids=["mask", "labels", "bright spot", "heavy tail"],
)
def test_no_value_of_a_picture_is_taken_for_a_marker(image):
    """A mask of two values, a map of a few labels, bright spots of less than three ranges, a skewed distribution."""
    found = decode(png(image), SIDE, "x")
    assert found.masked == 0
    assert np.array_equal(found.pixels, stretched(image, image.min(), image.max()))


def test_one_bit_of_an_array_is_black_and_white():
    assert np.array_equal(square(array(gradient() > 99)), stretched((gradient() > 99).astype(int), 0, 1))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tiff(np.zeros((SIDE, SIDE, 5), np.uint16), photometric="minisblack", planarconfig="contig"), "5 channels"),
        (tiff(COLOUR.astype(np.complex64)[:, :, 0]), "complex64"),
        (array(np.zeros((3, SIDE, SIDE), np.uint16)), "neither grey nor RGB"),
        (array(np.zeros((SIDE, SIDE), "U3")), "an array"),
        (tiff(np.concatenate([COLOUR, OPAQUE], axis=2), photometric="separated"), "neither grey nor RGB"),
    ],
    ids=["channels", "complex", "volume", "text", "CMYK"],
)
def test_values_that_are_no_picture_are_named(content, words):
    with pytest.raises(UserError, match=f"x is not a readable image .*{words}"):
        square(content)


def test_8_bits_stay_as_they_are():
    """However few of the 256 grey levels an image has: it is not stretched."""
    dim = gradient() // 4
    for content in (encoded(Image.fromarray(dim)), tiff(dim), encoded(Image.fromarray(dim), "BMP"), array(dim)):
        assert np.array_equal(square(content)[:, :, 0], dim)


@pytest.mark.parametrize("kind", [kind for kind in DEEP if kind != "array"])
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_truncated_deep_image_is_refused(kind, share):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 4096, (64, 64, 3)).astype(np.uint16)
    options = {"photometric": "rgb"}
    content = {
        "PNG": lambda: png(noise),
        "TIFF, big-endian, deflated": lambda: tiff(noise, compression="zlib", predictor=True, **options),
        "TIFF, tiles, LZW": lambda: tiff(noise, tile=(16, 16), compression="lzw", **options),
        "portable pixmap": lambda: pixmap(noise),
        "JPEG 2000": lambda: jpeg2000(noise),
    }.get(kind, lambda: tiff(noise, **options))()
    with pytest.raises(UserError, match="x is not a readable image"):
        square(content[: int(share * len(content))])


def test_a_large_deep_image_needs_no_second_copy_of_its_values():
    values = np.random.default_rng(0).integers(0, 4096, (3000, 3000)).astype(np.uint16)
    content = tiff(values)
    decode(tiff(GREY), SIDE, "x")
    tracemalloc.start()
    square(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * values.nbytes
