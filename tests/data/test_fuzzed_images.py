"""Thousands of damaged images: each gives a picture or a sentence, in little memory, and leaves nothing behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded
from test_depth import DEEP, GREY, tiff
from test_dicom import EIGHT, TABLES, VALUES, dicom, padded
from test_dicom_codecs import COLOUR, LOSSLESS, LOSSY, TWELVE
from test_formats import RGB, STACKS

pytestmark = pytest.mark.exhaustive
COUNT = 4000
BATCH = 500  # images that one process reads: where it dies, the seed of its last one is the last that it has told
CHILD = """
import resource, sys, warnings
from pathlib import Path
from medpeft.base.errors import UserError
from medpeft.data.decode import decode
from medpeft.data.formats.picture import Reading
import medpeft.data.formats.dicom, medpeft.data.formats.tiff
warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2)  # of which libraries take a part without using it
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.name, flush=True)
    try:
        assert decode(path.read_bytes(), 40, "x", Reading(frame="first")).pixels.shape == (40, 40, 3)
    except UserError:
        pass
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


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


def damaged(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Return `content` after one to four changes of a kind that broken disks and attackers make."""
    found = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place, length = int(rng.integers(len(found) + 1)), int(rng.integers(1, 64))
        if rng.random() < 0.5:  # where headers are
            place = min(place, int(rng.integers(256)))
        kind = rng.integers(7)
        if kind == 0:
            found[place : place + 1] = rng.bytes(1)
        elif kind == 1:
            del found[max(place, 1) :]
        elif kind == 2:
            found[place : place + length] = bytes([int(rng.choice([0, 255]))]) * length
        elif kind == 3:
            found[place:place] = rng.bytes(length)
        elif kind == 4:
            found[place:place] = found[place : place + length]
        elif kind == 5:
            found[place:] = other[int(rng.integers(len(other))) :]
        else:  # a number that is huge, or just beyond a limit
            number = int(rng.choice([2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 65_536, 100_000]))
            found[place : place + 4] = number.to_bytes(4, str(rng.choice(["little", "big"])))  # type: ignore[arg-type]
    return bytes(found)


def batches(folder: Path) -> Iterator[Path]:
    """Yield folders of damaged images that are named after their seeds."""
    files = sound()
    for start in range(0, COUNT, BATCH):
        batch = folder / str(start)
        batch.mkdir()
        for seed in range(start, start + BATCH):
            rng = np.random.default_rng(seed)
            content, other = files[seed % len(files)], files[int(rng.integers(len(files)))]
            (batch / f"{seed:05d}").write_bytes(damaged(content, other, rng))
        yield batch


def test_damaged_images_give_a_picture_or_a_sentence(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    environment = os.environ | {"TMPDIR": str(here), "OMP_NUM_THREADS": "1"}
    (tmp_path / "images").mkdir()
    for batch in batches(tmp_path / "images"):
        command = [sys.executable, "-c", CHILD, str(batch)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here, env=environment)
        *told, last = done.stdout.split("\n")[:-1]
        assert done.returncode == 0, f"{last}: status {done.returncode}: {done.stderr[-2000:]}"
        assert len(told) == BATCH
        assert int(last.removeprefix("peak ")) < 2 * 2**20  # kilobytes
        assert list(here.iterdir()) == []
