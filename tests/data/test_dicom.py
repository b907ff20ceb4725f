"""DICOM files become what a viewer shows: checked against the formulas of the standard, written out here."""

import io

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from medpeft.base.errors import UserError
from medpeft.data.decode import decode

SIDE = 32
VALUES = np.linspace(0, 4095, SIDE * SIDE).round().astype(np.uint16).reshape(SIDE, SIDE)  # 12 bits in 16


def dicom(pixels: np.ndarray, syntax=ExplicitVRLittleEndian, frames: list[bytes] | None = None, **tags) -> bytes:
    """Return a DICOM file of `pixels` (H, W) or (H, W, 3); compressed `frames` stand in for their bytes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = "1.2.3"
    dataset.PatientName = "Doe^Jane"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    for tag, value in tags.items():
        setattr(dataset, tag, value)
    dataset.PixelData = encapsulate(frames) if frames else pixels.tobytes()
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def grey(content: bytes) -> np.ndarray:
    """Return the decoded file as (H, W), all three channels being equal."""
    pixels = decode(content, SIDE, "x").pixels
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0]


EIGHT = np.round(VALUES / 4095 * 150 + 50).astype(np.uint8)


def test_8_bits_without_a_window_are_kept():
    assert np.array_equal(grey(dicom(EIGHT)), EIGHT)


def test_monochrome1_is_inverted():
    assert np.array_equal(grey(dicom(EIGHT, PhotometricInterpretation="MONOCHROME1")), 255 - EIGHT)


def jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def test_jpeg_baseline_is_what_pillow_makes_of_it():
    """As in the RSNA challenge: one grey JPEG of 8 bits a file."""
    content = dicom(EIGHT, JPEGBaseline8Bit, [jpeg(EIGHT)], LossyImageCompression="01")
    assert np.array_equal(grey(content), np.asarray(Image.open(io.BytesIO(jpeg(EIGHT)))))


def test_colour_jpeg_becomes_rgb():
    colour = np.stack([EIGHT, EIGHT[::-1], np.full_like(EIGHT, 90)], axis=2)
    content = dicom(colour, JPEGBaseline8Bit, [jpeg(colour)], PhotometricInterpretation="YBR_FULL_422")
    assert np.abs(decode(content, SIDE, "x").pixels.astype(int) - colour).mean() < 8


def test_rgb_is_kept():
    colour = np.stack([EIGHT, EIGHT[::-1], EIGHT.T], axis=2)
    assert np.array_equal(decode(dicom(colour), SIDE, "x").pixels, colour)


def test_run_length_encoding_is_read():
    dataset = pydicom.dcmread(io.BytesIO(dicom(EIGHT)))
    dataset.compress(RLELossless)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    assert np.array_equal(grey(stream.getvalue()), EIGHT)


def test_more_bits_without_a_window_are_stretched():
    values = VALUES // 2 + 300
    expected = np.round((values - 300.0) / (values.max() - 300.0) * 255)
    assert np.array_equal(grey(dicom(values)), expected)


def linear(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """Return PS3.3 C.11.2.1.2.1 with an output of 0 to 255."""
    return np.round(np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255)


def test_a_window_goes_from_black_to_white():
    shown = grey(dicom(VALUES, WindowCenter=2000, WindowWidth=1000))
    assert np.array_equal(shown, linear(VALUES, 2000, 1000))


def test_the_first_of_several_windows_is_taken():
    shown = grey(dicom(VALUES, WindowCenter=[2000, 100], WindowWidth=[1000, 50]))
    assert np.array_equal(shown, linear(VALUES, 2000, 1000))


def test_a_window_is_in_units_of_the_rescaled_values():
    signed = VALUES.astype(np.int16) - 1000
    shown = grey(dicom(signed, RescaleSlope=2, RescaleIntercept=-500, WindowCenter=300, WindowWidth=4000))
    assert np.array_equal(shown, linear(signed * 2.0 - 500, 300, 4000))


def test_a_window_of_an_inverted_picture_is_inverted_after_it():
    shown = grey(dicom(VALUES, WindowCenter=2000, WindowWidth=1000, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(shown, 255 - linear(VALUES, 2000, 1000))


@pytest.mark.parametrize(
    "tags",
    [
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowWidth": 400},
        {"WindowCenter": 40},
        {"VOILUTSequence": [Dataset()]},
    ],
    ids=["empty", "no centre", "no width", "empty table"],
)
@pytest.mark.parametrize("pixels", [EIGHT, VALUES], ids=["8 bits", "more"])
def test_half_a_window_is_none(pixels, tags):
    assert np.array_equal(grey(dicom(pixels, **tags)), grey(dicom(pixels)))


def padded(marker: int) -> np.ndarray:
    """Return values of a CT with three rows of padding."""
    pixels = VALUES.astype(np.int16) - 1000
    pixels[:3] = marker
    return pixels


def shown_below(pixels: np.ndarray) -> np.ndarray:
    """Return what becomes of `pixels` below three black rows."""
    low, high = float(pixels[3:].min()), float(pixels[3:].max())
    expected = np.round((pixels - low) * (255 / (high - low)))
    expected[:3] = 0
    return expected


@pytest.mark.parametrize(
    ("marker", "tags"),
    [
        (-32000, {"PixelPaddingValue": -32000}),
        (-2000, {"PixelPaddingValue": -2000}),
        (-1024, {"PixelPaddingValue": -1500, "PixelPaddingRangeLimit": -1010}),
        (-32000, {}),
        (-32000, {"PixelPaddingValue": -32000, "RescaleSlope": 2, "RescaleIntercept": 0}),
    ],
    ids=["declared", "near", "range", "not declared", "rescaled"],
)
def test_padding_is_black_and_not_in_the_range(marker, tags):
    found = decode(dicom(padded(marker), **tags), SIDE, "x")
    assert np.array_equal(found.pixels[:, :, 0], shown_below(padded(marker)))
    assert found.masked == 3 * SIDE


def test_padding_is_black_where_low_is_bright():
    tags = {"PixelPaddingValue": -2000, "PhotometricInterpretation": "MONOCHROME1"}
    expected = 255 - shown_below(padded(-2000))
    expected[:3] = 0
    assert np.array_equal(grey(dicom(padded(-2000), **tags)), expected)
    windowed = grey(dicom(padded(-2000), WindowCenter=300, WindowWidth=4000, **tags))
    assert (windowed[:3] == 0).all()
    assert np.array_equal(windowed[3:], 255 - linear(padded(-2000)[3:], 300, 4000))


def test_padding_of_8_bits_is_black():
    pixels = EIGHT.copy()
    pixels[:3] = 255
    assert np.array_equal(grey(dicom(pixels, PixelPaddingValue=255))[:4], [*np.zeros((3, SIDE)), EIGHT[3]])


def test_fewer_than_8_bits_are_stretched():
    dim = EIGHT // 16
    shown = np.round((dim - 3.0) * (255 / (dim.max() - 3.0)))
    assert np.array_equal(grey(dicom(dim, BitsStored=4, HighBit=3)), shown)


def test_colour_of_16_bits_is_stretched():
    colour = np.stack([VALUES, VALUES[::-1], VALUES.T], axis=2)
    assert np.array_equal(decode(dicom(colour), SIDE, "x").pixels, np.round(colour * (255 / 4095)))


TABLES = np.random.default_rng(0).integers(0, 256, (3, 256))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_gives_colours(bits):
    tags = {}
    for colour, values in zip(("Red", "Green", "Blue"), TABLES, strict=True):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, bits]
        tags[f"{colour}PaletteColorLookupTableData"] = (values << (bits - 8)).astype(f"<u{bits // 8}").tobytes()
    content = dicom(EIGHT, PhotometricInterpretation="PALETTE COLOR", **tags)
    assert np.array_equal(decode(content, SIDE, "x").pixels, np.stack([table[EIGHT] for table in TABLES], axis=2))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("described", [True, False], ids=["described", "bare"])
def test_a_file_without_preamble_is_read(syntax, described):
    content = dicom(VALUES, syntax)[132:]
    start = 0 if described else content.index(b"\x08\x00\x16\x00")
    assert np.array_equal(grey(content[start:]), grey(dicom(VALUES)))


@pytest.mark.parametrize(
    ("kind", "name"),
    [("1.2.840.10008.5.1.4.1.1.88.11", "Basic Text SR"), ("1.2.840.10008.1.3.10", "Media Storage Dir")],
)
def test_dicom_without_a_picture_is_named(kind, name):
    report = pydicom.dcmread(io.BytesIO(dicom(EIGHT)))
    del report.Rows, report.Columns, report.PixelData
    report.SOPClassUID = kind
    stream = io.BytesIO()
    report.save_as(stream)
    with pytest.raises(UserError, match=f"a DICOM file without a picture, of the kind {name}"):
        grey(stream.getvalue())


@pytest.mark.parametrize(
    "content",
    [
        dicom(EIGHT)[:200],
        dicom(EIGHT)[:-500],
        dicom(EIGHT, JPEGBaseline8Bit, [jpeg(EIGHT)[:100]]),
        dicom(EIGHT, JPEGBaseline8Bit, [b"no jpeg"]),
        dicom(np.stack([EIGHT, EIGHT]).reshape(2 * SIDE, SIDE), Rows=SIDE, NumberOfFrames=2),
        dicom(EIGHT, PhotometricInterpretation="PALETTE COLOR"),  # without a palette
        dicom(VALUES, WindowCenter=10, WindowWidth=0.5),
    ],
    ids=["header", "cut", "cut jpeg", "no jpeg", "frames", "palette", "window"],
)
def test_what_cannot_be_shown_is_named(content):
    with pytest.raises(
        UserError, match=r"'a\.dcm' in z\.zip is not a readable image \(.*\): put a sound copy in its place"
    ):
        decode(content, SIDE, "'a.dcm' in z.zip")


def test_a_header_that_announces_too_many_pixels_is_refused():
    with pytest.raises(UserError, match="x is refused for its size"):
        decode(dicom(EIGHT, Rows=60000, Columns=60000), SIDE, "x")
