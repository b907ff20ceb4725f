"""What a file is, its content tells; only formats that are meant are opened, one frame of each, within bounds."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
from pictures import SIDE, encoded, gradient, jpeg2000, pixmap, png, square, tiff
from PIL import Image, PngImagePlugin
from test_dicom import EIGHT, dicom

from medpeft.base.errors import UserError
from medpeft.data.decode import decode
from medpeft.data.formats.picture import Reading

GREY = Image.fromarray(gradient())
RGB = Image.merge("RGB", [GREY, GREY.rotate(90), GREY.rotate(180)])
FRAMES = [Image.fromarray(np.full((SIDE, SIDE), level, np.uint8)) for level in (10, 90, 170, 250)]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000", "TGA"])
def test_every_format_that_is_meant_is_read(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    image = GREY if kind == "GIF" else RGB
    assert np.array_equal(square(encoded(image, kind, **options)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "PCX", "SGI", "IM", "SPIDER", "DDS", "MSP"])
def test_no_other_format_is_opened(kind, monkeypatch):
    image = {"SPIDER": GREY.convert("F"), "MSP": GREY.convert("1")}.get(kind, RGB)
    content = encoded(image, kind)

    def none_starts(*args, **kwargs):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", none_starts)
    with pytest.raises(UserError, match=r"x is not a readable image \(it is none of PNG, JPEG, TIFF"):
        square(content)


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n%%EOF\n",
        b"\xd7\xcd\xc6\x9a" + b"\0" * 60,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html>Not found</html>",
        b"",
        b"\0" * 1000,
        bytes(range(256)) * 8,
    ],
    ids=["PostScript", "metafile", "SVG", "web page", "empty", "zeros", "anything"],
)
def test_what_is_no_image_is_named(content):
    with pytest.raises(UserError, match="x is not a readable image"):
        square(content)


STACKS = {
    "GIF": encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "PNG": encoded(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]),
    "WEBP": encoded(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:], lossless=True),
    "TIFF": encoded(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:]),
    "deep TIFF": tiff(
        [np.asarray(frame).astype(np.uint16) * 200 + np.arange(SIDE, dtype=np.uint16) for frame in FRAMES]
    ),
    "DICOM": dicom(np.concatenate([np.asarray(frame) for frame in FRAMES]), Rows=SIDE, NumberOfFrames=4),
}


@pytest.mark.parametrize("kind", STACKS)
def test_a_file_with_several_frames_is_refused_where_none_is_meant(kind):
    with pytest.raises(UserError, match=r"4 frames in one file: .* key `frame`"):
        square(STACKS[kind])


@pytest.mark.parametrize("kind", STACKS)
@pytest.mark.parametrize(("frame", "number"), [("first", 0), ("middle", 2), (1, 0), (4, 3)])
def test_the_frame_that_the_study_names_is_taken(kind, frame, number):
    shown = square(STACKS[kind], frame=frame)
    if kind == "deep TIFF":  # each frame is stretched by itself
        assert np.array_equal(shown[:, :, 0], np.tile(np.round(np.arange(SIDE) * (255 / (SIDE - 1))), (SIDE, 1)))
    else:
        assert np.abs(shown.astype(int) - np.asarray(FRAMES[number])[:, :, None]).max() <= 1


@pytest.mark.parametrize("kind", STACKS)
def test_a_frame_that_is_not_there_is_named(kind):
    with pytest.raises(UserError, match="there is no frame 5 of 4"):
        square(STACKS[kind], frame=5)


def test_a_file_with_one_frame_has_no_other():
    assert np.array_equal(square(encoded(GREY), frame=7), np.asarray(GREY.convert("RGB")))


def test_smaller_copies_and_masks_in_a_tiff_are_no_frames():
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(gradient(), metadata=None)
        writer.write(gradient()[::2, ::2], subfiletype=1, metadata=None)
        writer.write(gradient() > 90, subfiletype=4, metadata=None)
    assert np.array_equal(square(stream.getvalue())[:, :, 0], gradient())


def test_the_preview_beside_a_photograph_is_no_frame():
    both = square(encoded(RGB, "MPO", save_all=True, append_images=[GREY.convert("RGB")]))
    assert np.array_equal(both, square(encoded(RGB, "JPEG")))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_text(size: int) -> bytes:
    """Return a PNG file with a compressed text that grows to `size` bytes."""
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "x" * size, zip=True)
    return encoded(GREY, "PNG", pnginfo=text)


def tag(number: int, kind: int, value: int) -> bytes:
    return struct.pack("<HHIHH" if kind == 3 else "<HHII", number, kind, 1, *([value, 0] if kind == 3 else [value]))


def crafted_tiff(bits: int, **tags: int) -> bytes:
    """Return a TIFF of 40 x 40 pixels with zeros in one deflated part, and with these numbers of tags."""
    data = zlib.compress(b"\0" * 10_000_000)
    entries = {256: SIDE, 257: SIDE, 258: bits, 259: 8, 262: 1, 277: 1}
    entries |= {int(name.removeprefix("t")): value for name, value in tags.items()}
    offsets, lengths = (324, 325) if 322 in entries else (273, 279)
    entries |= {lengths: len(data), offsets: 0}
    start = 8 + 2 + 12 * len(entries) + 4
    entries[offsets] = start
    body = b"".join(
        tag(number, 3 if number in (258, 259, 262, 277) else 4, entries[number]) for number in sorted(entries)
    )
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + body + b"\0\0\0\0" + data


def deflated_dicom(size: int) -> bytes:
    """Return a deflated DICOM file that grows by `size` bytes of zeros."""
    plain = dicom(EIGHT, "1.2.840.10008.1.2.1")
    syntax = b"1.2.840.10008.1.2.1\0"
    end = plain.index(b"\x08\x00\x16\x00")  # of the elements that describe the file
    meta = plain[:end].replace(struct.pack("<H", 20) + syntax, struct.pack("<H", 22) + b"1.2.840.10008.1.2.1.99")
    length = struct.unpack("<I", meta[140:144])[0] + 2
    meta = meta[:140] + struct.pack("<I", length) + meta[144:]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    padded = plain[end:] + b"\xfc\xff\xfc\xffOB\0\0" + struct.pack("<I", size)
    packed = packer.compress(padded)
    packed += b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20))
    return meta + packed + packer.flush()


BOMBS = {
    "PNG": lambda: (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(10_000_000)))
        + chunk(b"IEND", b"")
    ),
    "PNG with text": lambda: with_text(200_000_000),
    "TIFF": lambda: crafted_tiff(8, t256=60_000, t257=60_000),
    "TIFF of 16 bits": lambda: crafted_tiff(16, t256=60_000, t257=60_000),
    "tile": lambda: crafted_tiff(8, t322=65_536, t323=65_536),
    "tile of 16 bits": lambda: crafted_tiff(16, t322=65_536, t323=65_536),
    "channels": lambda: crafted_tiff(16, t256=6_000, t257=6_000, t277=60_000),
    "GIF": lambda: encoded(GREY, "GIF").replace(struct.pack("<HH", SIDE, SIDE), struct.pack("<HH", 65_000, 65_000)),
    "JPEG 2000": lambda: jpeg2000(gradient()).replace(
        struct.pack(">II", SIDE, SIDE), struct.pack(">II", 60_000, 60_000)
    ),
    "portable pixmap": lambda: b"P6\n40000 40000\n65535\n" + bytes(1000),
    "deflated DICOM": lambda: deflated_dicom(800 * 2**20),
    "DICOM": lambda: dicom(EIGHT, Rows=60_000, Columns=60_000),
}
IN_LITTLE_MEMORY = """
import resource, sys
from medpeft.base.errors import UserError
from medpeft.data.decode import decode
import medpeft.data.formats.dicom, medpeft.data.formats.tiff
content = open(sys.argv[1], "rb").read()
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 1_200_000_000,) * 2)
try:
    decode(content, 40, "x")
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", BOMBS)
def test_what_would_fill_the_memory_is_refused_before_it_does(kind, tmp_path):
    """In a process that may not have more than 1.2 GB beside what it has imported."""
    (tmp_path / "bomb").write_bytes(BOMBS[kind]())
    command = [sys.executable, "-W", "ignore", "-c", IN_LITTLE_MEMORY, str(tmp_path / "bomb")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "x is refused for its size" in done.stdout or "Decompressed data too large" in done.stdout


def test_a_deflated_dicom_is_read():
    assert np.array_equal(decode(deflated_dicom(2**20), 32, "x").pixels[:, :, 0], EIGHT)


@pytest.mark.parametrize(
    "content",
    [encoded(GREY), tiff(gradient()), png(gradient()), dicom(gradient()), pixmap(np.zeros((SIDE, SIDE, 3), np.uint16))],
    ids=["PNG", "TIFF", "deep", "DICOM", "pixmap"],
)
def test_the_largest_image_is_the_studys_choice(content):
    with pytest.raises(UserError, match=r"40 x 40 pixels.*0\.0015 megapixels are allowed.*`largest_image`"):
        square(content, largest=0.0015)
    assert square(content, largest=0.0016).shape == (SIDE, SIDE, 3)


@pytest.mark.slow
def test_a_large_slide_is_read_where_the_study_allows_it():
    content = encoded(Image.new("L", (9500, 9500), 77))
    with pytest.raises(UserError, match="90 megapixels are allowed"):
        square(content)
    assert (square(content, largest=100) == 77).all()


def test_pillows_own_limit_is_as_it_was_afterwards():
    before = Image.MAX_IMAGE_PIXELS
    square(encoded(GREY), largest=500)
    with pytest.raises(UserError):
        decode(b"", 40, "x", Reading(largest=1))
    assert before == Image.MAX_IMAGE_PIXELS
