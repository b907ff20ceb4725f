"""Thousands of damaged images: each gives a picture or a sentence, in little memory, and leaves nothing behind."""

import numpy as np
import pytest
from damage import damaged, survives
from pictures import encoded
from test_depth import DEEP, GREY, tiff
from test_dicom import EIGHT, TABLES, VALUES, dicom, padded
from test_dicom_codecs import COLOUR, LOSSLESS, LOSSY, TWELVE
from test_formats import RGB, STACKS

pytestmark = pytest.mark.exhaustive
COUNT = 4000
IMPORTS = """
from medpeft.data.decode import decode
from medpeft.data.formats.picture import Reading
import medpeft.data.formats.dicom, medpeft.data.formats.tiff
"""
READ = "assert decode(path.read_bytes(), 40, 'x', Reading(frame='first')).pixels.shape == (40, 40, 3)"


def sound() -> list[bytes]:
    """Return one file of each kind that is read."""
    palette = {}
    for colour, values in zip(("Red", "Green", "Blue"), TABLES, strict=True):
        palette[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        palette[f"{colour}PaletteColorLookupTableData"] = values.astype(np.uint8).tobytes()
    compressed = [dicom(VALUES, syntax, [encode(VALUES)], **TWELVE) for syntax, encode in (LOSSLESS | LOSSY).values()]
    compressed += [dicom(COLOUR, syntax, [encode(COLOUR)]) for syntax, encode in LOSSLESS.values()]
    common = [encoded(RGB, kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000", "TGA")]
    tiffs = [encoded(RGB, "TIFF", compression=name) for name in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")]
    tiffs += [tiff(GREY.astype(np.float32), compression="lzw", predictor=True), tiff(GREY, tile=(16, 16))]
    plain = [dicom(EIGHT), dicom(padded(-2000), PixelPaddingValue=-2000), dicom(VALUES, WindowCenter=9, WindowWidth=9)]
    plain += [dicom(EIGHT, PhotometricInterpretation="PALETTE COLOR", **palette), dicom(EIGHT)[132:]]
    return [*DEEP.values(), *STACKS.values(), *common, *tiffs, *plain, *compressed]


def test_damaged_images_give_a_picture_or_a_sentence(tmp_path):
    files = sound()

    def make(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        return damaged(files[seed % len(files)], files[int(rng.integers(len(files)))], rng)

    survives(tmp_path, COUNT, make, IMPORTS, READ)
