"""Every common kind of image becomes the same square of 8-bit RGB, and bad ones are named."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pytest
from pictures import encoded, gradient, square
from PIL import Image
from test_dicom import dicom

from medpeft.base.errors import UserError
from medpeft.base.files import read_table
from medpeft.data import prepare as prepare_module
from medpeft.data.archives import Source
from medpeft.data.dataset import Archive, Dataset
from medpeft.data.decode import decode
from medpeft.data.formats.picture import Reading
from medpeft.data.prepare import prepare
from medpeft.data.stored.appearance import Notes
from medpeft.data.stored.unfinished import Unfinished

GREY = Image.fromarray(gradient())
RGB = Image.merge("RGB", [GREY, GREY.rotate(90), GREY.rotate(180)])


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (RGB, RGB),
        (GREY, GREY.convert("RGB")),
        (RGB.convert("RGBA"), RGB),
        (GREY.convert("LA"), GREY.convert("RGB")),
        (GREY.convert("1"), GREY.convert("1").convert("RGB")),
        (RGB.quantize(64), RGB.quantize(64).convert("RGB")),
    ],
    ids=["RGB", "grey", "RGBA", "grey with alpha", "bilevel", "palette"],
)
def test_each_mode_becomes_rgb(image, expected):
    assert np.array_equal(square(encoded(image)), np.asarray(expected))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_deep_grey_is_stretched_from_its_own_range(kind):
    values = np.linspace(300, 4300, 40 * 40).reshape(40, 40).astype(np.uint16)
    decoded = square(encoded(Image.fromarray(values), kind))
    expected = np.round((values.astype(float) - 300) / 4000 * 255)
    assert np.array_equal(decoded, np.repeat(expected.astype(np.uint8)[:, :, None], 3, axis=2))


def test_constant_deep_grey_is_black():
    assert square(encoded(Image.fromarray(np.full((40, 40), 1234, np.uint16)))).max() == 0


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_is_close_to_its_original(mode):
    decoded = square(encoded(GREY.convert("RGB").convert(mode), "JPEG", quality=95))
    assert np.abs(decoded.astype(int) - gradient()[:, :, None]).mean() < 4


def test_a_cameras_rotation_is_undone():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the picture must be turned clockwise by 90 degrees
    decoded = square(encoded(GREY, exif=exif))
    assert np.array_equal(decoded[:, :, 0], np.rot90(gradient(), -1))


@pytest.mark.parametrize(("height", "width"), [(40, 100), (100, 40)])
def test_the_centre_square_is_kept(height, width):
    canvas = np.zeros((height, width), np.uint8)
    top, left = (height - 40) // 2, (width - 40) // 2
    canvas[top : top + 40, left : left + 40] = gradient()
    assert np.array_equal(square(encoded(Image.fromarray(canvas)))[:, :, 0], gradient())


def test_reduction_does_not_alias():
    """A one-pixel chequerboard has no structure at a tenth of its size: it becomes its mean."""
    board = ((np.indices((400, 400)).sum(axis=0) % 2) * 255).astype(np.uint8)
    decoded = square(encoded(Image.fromarray(board)))
    assert np.abs(decoded.astype(int) - 127.5).max() < 3


@pytest.mark.parametrize("size", [16, 40, 97])
def test_any_size_can_be_asked_for(size):
    decoded = square(encoded(RGB), size)
    assert decoded.shape == (size, size, 3)
    assert decoded.dtype == np.uint8


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7])
def test_a_truncated_image_is_named(kind, share):
    content = encoded(NOISE, kind)
    with pytest.raises(
        UserError, match=r"'b \(1\)\.png' in data/a\.zip is not a readable image \(.*\): put a sound copy in its place"
    ):
        decode(content[: int(share * len(content))], 40, "'b (1).png' in data/a.zip")


def test_a_decompression_bomb_is_refused():
    with pytest.raises(UserError, match=r"place is refused for its size .*0\.001 megapixels .*`largest_image`"):
        decode(encoded(GREY), 40, "place", Reading(largest=0.001))


def toy(folder, images: dict[str, bytes], counts: dict[str, int], **options):
    """Return a dataset and its archive: members `<class>/<n>.png`."""
    path = folder / "toy.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in images.items():
            archive.writestr(name, content)

    def index(source):
        names = source.names()
        labels = [name.split("/")[0] for name in names]
        ids = [name.removesuffix(".png") for name in names]
        places = [f"toy.zip/{name}" for name in names]
        columns = ["image_id", "group_id", "label", "caption", "source_file"]
        return pd.DataFrame(zip(ids, ids, labels, labels, places, strict=True), columns=columns)

    archives = (Archive("toy.zip"),)
    return Dataset("Toy", archives, index, counts, licence="", access="", citation="", **options), path


def run(folder, images, counts, size=24, processes=1, **options):
    dataset, path = toy(folder, images, counts, **options)
    prepare("toy", dataset, [path], size, folder / "out" / "images.npy", folder / "out" / "manifest.csv", processes)
    return np.load(folder / "out" / "images.npy", mmap_mode="r"), read_table(folder / "out" / "manifest.csv")


FILES = ["images.npy", "labels.json", "manifest.csv", "pixels.csv"]  # what is written
FOUR = {"a/1.png": encoded(GREY), "a/2.png": encoded(NOISE), "b/1.png": encoded(RGB), "b/001.png": encoded(GREY)}


def test_row_i_describes_image_i(tmp_path):
    images, manifest = run(tmp_path, FOUR, {"a": 2, "b": 2})
    assert images.shape == (4, 24, 24, 3)
    assert images.dtype == np.uint8
    assert isinstance(images, np.memmap)
    for image, row in zip(images, manifest.itertuples(), strict=True):
        content = FOUR[row.source_file.removeprefix("toy.zip/")]
        assert np.array_equal(image, square(content, 24))
        assert row.sha256 == hashlib.sha256(content).hexdigest()
    assert manifest.columns.tolist() == ["image_id", "group_id", "label", "source_file", "sha256"]


def test_equal_archives_give_equal_bytes(tmp_path):
    outputs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run(tmp_path / name, FOUR, {"a": 2, "b": 2})
        outputs.append([(tmp_path / name / "out" / file).read_bytes() for file in ("images.npy", "manifest.csv")])
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"a": 3, "b": 2}, r"has 2 images of class 'a' where 3 are published"),
        ({"a": 2}, r"has 2 images of class 'b' where 0 are published"),
        ({"a": 2, "b": 2, "c": 1}, r"has 0 images of class 'c' where 1 are published"),
    ],
)
def test_other_counts_than_published_are_refused_by_class(tmp_path, counts, sentence):
    with pytest.raises(UserError, match=sentence + ".*: delete the archive and run again"):
        run(tmp_path, FOUR, counts)
    assert not (tmp_path / "out").exists()


def test_vanished_images_are_said_and_not_refused_where_that_is_known(tmp_path, caplog):
    images, manifest = run(tmp_path, FOUR, {"a": 3, "b": 2}, tolerated=("missing",))
    assert len(images) == len(manifest) == 4
    assert "has 2 images of class 'a' where 3 are published: it goes on with these" in caplog.text


@pytest.mark.parametrize("counts", [{"a": 1, "b": 2}, {"a": 2}, {"a": 2, "b": 2, "c": 1}])
def test_too_many_images_or_a_vanished_class_are_refused_even_then(tmp_path, counts):
    with pytest.raises(UserError, match="are published: delete the archive"):
        run(tmp_path, FOUR, counts, tolerated=("missing",))


def test_processes_change_no_byte(tmp_path):
    members = {f"a/{i:02d}.png": encoded(GREY.rotate(i)) for i in range(40)}
    outputs = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        run(folder, members, {"a": 40}, processes=processes)
        outputs.append([(folder / "out" / file).read_bytes() for file in ("images.npy", "manifest.csv")])
    assert outputs[0] == outputs[1]


def test_a_damaged_member_leaves_nothing_and_is_named_with_its_archive(tmp_path):
    images = FOUR | {"a/2.png": FOUR["a/2.png"][:500]}
    with pytest.raises(UserError, match=r"'a/2\.png' in .*toy\.zip is not a readable image"):
        run(tmp_path, images, {"a": 2, "b": 2})
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("damage", [b"no image", None], ids=["content", "member"])
def test_a_damaged_file_gets_the_remedy_of_its_dataset(tmp_path, damage):
    """One's own archive may be the only copy: nothing tells to delete it."""
    dataset, path = toy(tmp_path, FOUR | ({"a/2.png": damage} if damage else {}), {"a": 2, "b": 2}, remedy="ask us")
    if damage is None:  # bytes of a member that no longer fit its checksum
        content = path.read_bytes()
        place = content.index(FOUR["a/2.png"]) + 200
        path.write_bytes(content[:place] + bytes(9) + content[place + 9 :])
    with pytest.raises(UserError, match="ask us") as caught:
        prepare("toy", dataset, [path], 24, tmp_path / "out" / "images.npy", tmp_path / "out" / "manifest.csv")
    assert "delete" not in str(caught.value)


def test_all_damaged_images_are_listed_and_the_first_is_said(tmp_path, caplog):
    broken = {name: FOUR[name][:100] for name in ("a/2.png", "b/1.png")}
    with pytest.raises(UserError, match=r"'a/2\.png' .* \(1 more images cannot be read: the log names each\)"):
        run(tmp_path, FOUR | broken, {"a": 2, "b": 2})
    assert [name for name in FOUR if repr(name) in caplog.text] == ["a/2.png", "b/1.png"]


def test_unreadable_images_are_left_out_where_the_study_accepts_them(tmp_path):
    broken = {name: FOUR[name][:100] for name in ("a/2.png", "b/1.png")}
    dataset, path = toy(tmp_path, FOUR | broken, {"a": 2, "b": 2})
    out = tmp_path / "out"
    arguments = ("toy", dataset, [path], 24, out / "images.npy", out / "manifest.csv", 1)
    with pytest.raises(UserError, match=r"to do without, write `accept: \{toy: \{unreadable: 2\}\}` in the study"):
        prepare(*arguments, {"unreadable": 1})
    assert list(out.iterdir()) == []
    losses = prepare(*arguments, {"unreadable": 2})
    assert losses.names("unreadable") == ["toy.zip/a/2.png", "toy.zip/b/1.png"]
    images, manifest = np.load(out / "images.npy"), read_table(out / "manifest.csv")
    assert manifest["image_id"].tolist() == ["a/1", "b/001"]
    assert read_table(out / "pixels.csv")["image_id"].tolist() == ["a/1", "b/001"]
    for image, name in zip(images, ("a/1.png", "b/001.png"), strict=True):
        assert np.array_equal(image, square(FOUR[name], 24))
    assert sorted(path.name for path in out.iterdir()) == FILES


def test_a_class_whose_images_are_all_unreadable_is_refused_whatever_is_accepted(tmp_path):
    broken = {name: b"" for name in ("b/1.png", "b/001.png")}
    dataset, path = toy(tmp_path, FOUR | broken, {"a": 2, "b": 2})
    with pytest.raises(UserError, match="no image of class 'b' can be read"):
        prepare("toy", dataset, [path], 24, tmp_path / "images.npy", tmp_path / "manifest.csv", 1, {"unreadable": 9})


def test_what_was_found_in_the_pixels_stands_beside_the_images(tmp_path):
    values = np.arange(1600, dtype=np.float32).reshape(40, 40)
    values[0, :5] = np.nan
    wide = Image.fromarray(np.full((20, 60), 9, np.uint8))
    run(tmp_path, {"a/1.png": encoded(Image.fromarray(values), "TIFF"), "a/2.png": encoded(wide)}, {"a": 2})
    found = read_table(tmp_path / "out" / "pixels.csv")
    assert found.to_dict("records") == [
        dict(zip(found.columns, ("a/1", 40, 40, 5, 0, 0, 0), strict=True)),
        dict(zip(found.columns, ("a/2", 60, 20, 0, 0, 1, 0), strict=True)),
    ]


def test_a_note_that_was_lost_is_made_again(tmp_path):
    """As when the machine stopped: the image is on the disk, what was found in it is not, or half a line of it."""
    notes = tmp_path / ".pixels.notes"
    decoded = decode(FOUR["a/1.png"], 24, "x")
    Notes(notes, "reading").add("digest", decoded)
    with open(notes, "a") as stream:
        stream.write("other 40 4")
    assert "digest" in Notes(notes, "reading")
    assert "other" not in Notes(notes, "reading")
    assert "digest" not in Notes(notes, "another reading")


MANY = {f"a/{i:02d}.png": encoded(GREY.rotate(i)) for i in range(20)}


def _arguments(folder) -> tuple:
    """Write an archive of many images and return the arguments of `prepare` for it."""
    dataset, path = toy(folder, MANY, {"a": 20})
    return "toy", dataset, [path], 24, folder / "out" / "images.npy", folder / "out" / "manifest.csv"


# Prepares the archive in a folder, and is killed when it is asked for the twelfth image.
KILLED = """
import os, sys
from pathlib import Path
from medpeft.data import prepare as module
import test_prepare

load, asked = module._load, []
def killed_at_the_twelfth(*arguments):
    asked.append(arguments)
    if len(asked) == 12:
        os.kill(os.getpid(), 9)
    return load(*arguments)

module._load = killed_at_the_twelfth
module.prepare(*test_prepare._arguments(Path(sys.argv[1])))
"""


@pytest.fixture
def killed(tmp_path) -> tuple:
    """A preparation whose process was killed, and the bytes of both files of one that was not."""
    arguments = _arguments(tmp_path)
    prepare(*arguments)
    whole = _written(arguments)
    for path in arguments[-2].parent.iterdir():
        path.unlink()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", KILLED, tmp_path], env=environment, check=False)
    assert result.returncode == -signal.SIGKILL
    # The process held what it had written last in its own memory: here it has reached the disk.
    unfinished = Unfinished(arguments[-2], *_made_from(arguments))
    assert len(unfinished.rest) == 20
    notes = Notes(tmp_path / "out" / ".pixels.notes", str(Reading()))
    with unfinished.opened() as add:
        for place in unfinished.rest[:11]:
            decoded, digest = prepare_module._load({"toy.zip": arguments[2][0]}, 24, Reading(), "", place)
            notes.add(digest, decoded)
            add(decoded.pixels, digest)
    return arguments, whole


def _written(arguments) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(arguments[-2].parent.iterdir())}


def _made_from(arguments) -> tuple:
    _, dataset, (path,), size, *_ = arguments
    table = dataset.index(Source(path)).drop(columns="caption")
    made_from = [table.to_csv(), prepare_module._state(path), str(Reading())]
    return made_from, table["source_file"].tolist(), size


def _resumed(arguments, monkeypatch) -> list[str]:
    """Prepare once more and return the members that were decoded."""
    decoded, load = [], prepare_module._load
    monkeypatch.setattr(
        prepare_module, "_load", lambda *args: decoded.append(args[-1].removeprefix("toy.zip/")) or load(*args)
    )
    prepare(*arguments)
    return decoded


@pytest.mark.parametrize("torn", [0, 7])
def test_a_killed_preparation_goes_on_where_it_stopped(killed, monkeypatch, torn):
    """Whatever part of the next image was on the disk when it was killed."""
    arguments, whole = killed
    (array,) = arguments[-2].parent.glob(".images.npy.*.npy")
    with open(array, "ab") as stream:
        stream.write(b"x" * torn)
    assert _resumed(arguments, monkeypatch) == sorted(MANY)[11:]  # none was decoded twice
    assert _written(arguments) == whole
    assert list(whole) == FILES


IMAGE = 24 * 24 * 3


def _swap(array, ledger):
    """Two writers: images 3 and 4 in another order."""
    content = bytearray(array.read_bytes())
    third, fourth = len(content) - 8 * IMAGE, len(content) - 7 * IMAGE
    content[third:fourth], content[fourth : fourth + IMAGE] = content[fourth : fourth + IMAGE], content[third:fourth]
    array.write_bytes(content)


def _repeat(array, ledger):
    """Two writers: image 2 and its line once more in place of image 3."""
    content, lines = array.read_bytes(), ledger.read_bytes().splitlines(keepends=True)
    start = len(content) - 9 * IMAGE
    array.write_bytes(content[: start + IMAGE] + content[start : start + IMAGE] + content[start + 2 * IMAGE :])
    ledger.write_bytes(b"".join([*lines[:3], lines[2], *lines[4:]]))


def _bit(array, ledger):
    content = bytearray(array.read_bytes())
    content[-8 * IMAGE] ^= 1
    array.write_bytes(content)


def _digest(array, ledger):
    lines = ledger.read_bytes().splitlines(keepends=True)
    lines[3] = (b"0" if lines[3][:1] != b"0" else b"1") + lines[3][1:]
    ledger.write_bytes(b"".join(lines))


DAMAGES = {"swapped": _swap, "repeated": _repeat, "one bit": _bit, "a digest": _digest}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_was_stored_is_checked_before_it_is_continued(killed, monkeypatch, caplog, damage):
    arguments, whole = killed
    (array,), (ledger,) = (arguments[-2].parent.glob(f".images.npy.*.{kind}") for kind in ("npy", "ledger"))
    damage(array, ledger)
    assert _resumed(arguments, monkeypatch) == sorted(MANY)[3:]
    assert "image 3 and those after it are decoded again: they are not as stored" in caplog.text
    assert _written(arguments) == whole


@pytest.mark.parametrize("kept", [0, 5, 5.5], ids=["none", "five", "five and a half"])
def test_notes_that_are_lost_are_made_again(killed, monkeypatch, kept):
    """As when the machine itself stopped: images are on the disk, some of what was found in them is not."""
    arguments, whole = killed
    notes = arguments[-2].with_name(".pixels.notes")
    lines = notes.read_text().split("\n")
    half = lines[6][:70] if kept == 5.5 else ""
    notes.write_text("\n".join([*lines[: int(kept) + 1], half]))
    decoded = _resumed(arguments, monkeypatch)
    assert set(sorted(MANY)[11:]) < set(decoded)  # what was not there, and before that what is not noted any more
    assert _written(arguments) == whole


def test_a_damaged_header_begins_anew(killed, monkeypatch):
    arguments, whole = killed
    (array,) = arguments[-2].parent.glob(".images.npy.*.npy")
    array.write_bytes(b"x" + array.read_bytes()[1:])
    assert _resumed(arguments, monkeypatch) == sorted(MANY)
    assert _written(arguments) == whole


OTHERS = {**DAMAGES, "more": lambda array, _: array.write_bytes(array.read_bytes() + bytes(IMAGE))}


@pytest.mark.parametrize("damage", OTHERS.values(), ids=OTHERS)
def test_an_array_that_another_writer_changed_is_never_put_in_place(tmp_path, monkeypatch, damage):
    arguments, load, asked = _arguments(tmp_path), prepare_module._load, []

    def with_another_writer(*args):
        """At the last image the other one writes; all before it have reached the disk."""
        asked.append(args)
        if len(asked) == 20:
            (array,), (ledger,) = (arguments[-2].parent.glob(f".images.npy.*.{kind}") for kind in ("npy", "ledger"))
            unfinished = Unfinished(arguments[-2], *_made_from(arguments))
            with unfinished.opened() as add:
                for done in asked[:11]:
                    decoded, digest = load(*done)
                    add(decoded.pixels, digest)
            damage(array, ledger)
        return load(*args)

    monkeypatch.setattr(prepare_module, "_load", with_another_writer)
    with pytest.raises(UserError, match="has images that do not belong to their places"):
        prepare(*arguments)
    assert not list(arguments[-2].parent.iterdir())


def test_what_another_archive_left_unfinished_is_not_continued(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".images.npy.0123456789abcdef.npy").write_bytes(b"\x93NUMPY of another archive")
    images, _ = run(tmp_path, FOUR, {"a": 2, "b": 2})
    assert np.array_equal(images[0], square(FOUR["a/1.png"], 24))
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == FILES


@pytest.mark.parametrize("image", [GREY, RGB])
def test_an_array_of_numpy_is_an_image(image):
    stream = io.BytesIO()
    np.save(stream, np.asarray(image))
    assert np.array_equal(square(stream.getvalue()), np.asarray(image.convert("RGB")))


def test_an_array_of_anything_else_is_none():
    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object))
    with pytest.raises(UserError, match="x is not a readable image"):
        square(stream.getvalue())


@pytest.mark.parametrize("content", [encoded(GREY), dicom(gradient(200, 200).astype(np.uint16))], ids=["PNG", "DICOM"])
def test_memory_does_not_grow_with_the_number_of_images(tmp_path, content):
    def peak(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        tracemalloc.start()
        run(folder, {f"a/{i}.png": content for i in range(number)}, {"a": number}, size=200)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(2)  # what is imported on first use
    assert peak(100) - peak(10) < 20 * 200 * 200 * 3  # of 90 images more
