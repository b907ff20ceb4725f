"""Which files of a folder or zip are the images: by name, by content, and by what the study includes and excludes."""

import io
import zipfile

import numpy as np
import pytest
from declared import declared, index, lost
from PIL import Image

from medpeft.base.errors import UserError
from medpeft.data import registry
from medpeft.data.archives import Source
from medpeft.data.formats.pillow import FORMATS
from medpeft.data.own.images import image_suffixes
from medpeft.data.own.patterns import idle, matcher

SUFFIXES = ["PNG", "jpg", "JPEG", "jpe", "jfif", "jp2", "j2k", "mpo", "bmp", "dib", "tif", "tiff", "gif", "webp"]
SUFFIXES += ["tga", "pgm", "ppm", "pbm", "dcm", "dicom", "IMA", "npy"]


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_images_are_known_by_their_names(pack, suffix):
    source = pack("chest.zip", {f"sick/1.{suffix}": b"", "well/2.png": b""})
    assert index(source)["image_id"].tolist() == [f"sick/1.{suffix}", "well/2.png"]
    assert lost(source) == {}


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - {"TGA"}))  # which has no mark
@pytest.mark.parametrize("name", ["1", "1.scan", "1.2.840.113619"])
def test_images_of_other_names_are_known_by_their_content(pack, kind, name):
    source = pack("chest.zip", {f"sick/{name}": encoded(kind), "well/2.png": b""})
    assert len(index(source)) == 2
    assert lost(source) == {}


def test_dicom_without_a_preamble_is_known_by_its_first_elements(pack):
    bare = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100"
    implicit = b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100"
    source = pack("chest.zip", {"sick/IM1": bare, "sick/IM2": implicit, "well/2.png": b""})
    assert len(index(source)) == 3


def test_what_stands_beside_images_is_counted_and_stops_nothing(pack):
    dicomdir = bytes(128) + b"DICM"
    beside = {"DICOMDIR": dicomdir, "README": b"About", "notes.weird": "Größe".encode("cp1252"), "Thumbs.db": b"\0"}
    beside |= {"a.csv": b"x\n", "b.json": b"{}", "c.pdf": b"%PDF\0", "empty": b""}
    source = pack("chest.zip", beside | {"sick/1.png": b"", "well/2.png": b""})
    assert len(index(source)) == 2
    assert lost(source) == {"others": len(beside)}


@pytest.mark.parametrize("name", ["1.nii.gz", "1.mha", "1.heic", "1.svs", "1.mp4", "1.mat", "1.zip", "1"])
def test_files_of_unknown_formats_stop(pack, name):
    source = pack("chest.zip", {f"sick/{name}": b"\x1f\x8b\x08\x00\x01", "sick/1.png": b"", "well/2.png": b""})
    assert len(index(source)) == 2
    assert source.losses.names("unknown") == [f"sick/{name}"]
    with pytest.raises(UserError, match=rf"unknown format: 1, such as 'sick/{name}' .*`exclude`"):
        source.losses.refuse("chest", "chest", {})


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 200])
def test_any_first_bytes_are_looked_at(pack, size):
    noise = np.random.default_rng(size)
    members = {f"sick/{number}": noise.bytes(size - 1) + b"\0" for number in range(50)}
    source = pack("chest.zip", members | {"sick/1.png": b"", "well/2.png": b""})
    assert len(index(source)) + sum(lost(source).values()) == 52


def test_the_suffixes_are_those_of_the_formats():
    assert {".png", ".jpg", ".tif", ".dcm"} <= image_suffixes()
    assert not {".pdf", ".eps", ".ps", ".mpg", ".wmf", ".psd"} & image_suffixes()


@pytest.mark.parametrize("linked", [["sick"], ["well"], ["sick", "well"]])
def test_class_folders_may_be_links(tmp_path, linked):
    (tmp_path / "home").mkdir()
    for label in ("sick", "well"):
        place = tmp_path / ("shared" if label in linked else "home") / label
        place.mkdir(parents=True)
        (place / "1.png").write_bytes(b"")
    for label in linked:
        (tmp_path / "home" / label).symlink_to(f"../shared/{label}")
    assert index(Source(tmp_path / "home"))["image_id"].tolist() == ["sick/1.png", "well/1.png"]


def test_links_without_a_target_and_names_that_are_no_text_stop_unless_they_are_excluded(tmp_path):
    for name in ("sick/1.png", "well/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "sick" / "2.png").symlink_to("nowhere.png")
    (tmp_path / ".hidden").symlink_to("nowhere")
    source = Source(tmp_path)
    assert len(index(source)) == 2
    assert source.losses.names("unreadable") == ["sick/2.png (a link without a target)"]
    source = Source(tmp_path)
    index(source, exclude=["sick/2.*"])
    assert lost(source) == {}


def test_a_class_in_a_folder_that_cannot_be_read_is_named_with_the_cause(tmp_path, monkeypatch):
    (tmp_path / "sick").mkdir()
    (tmp_path / "sick" / "1.png").write_bytes(b"")
    source = Source(tmp_path)
    monkeypatch.setattr(source, "broken", lambda: {"well": "Permission denied"})
    with pytest.raises(UserError, match=r"no image in a folder named 'well'.*unreadable files: 1, such as 'well "):
        index(source)


FILES = ["a/1.png", "a/1_mask.png", "a/b/2.png", "b/c/3.dcm", "old/x/4.png", "odd[1]/5.png", "é.png"]


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("*_mask.png", {"a/1_mask.png"}),
        ("b", {"a/b/2.png", "b/c/3.dcm"}),
        ("b/", {"a/b/2.png", "b/c/3.dcm"}),
        ("/b", {"b/c/3.dcm"}),
        ("b/c", {"b/c/3.dcm"}),
        ("a/*.png", {"a/1.png", "a/1_mask.png"}),
        ("a/**", {"a/1.png", "a/1_mask.png", "a/b/2.png"}),
        ("**/b/*", {"a/b/2.png", "b/c/3.dcm"}),
        ("old/**/4.png", {"old/x/4.png"}),
        ("?.png", {"a/1.png", "a/b/2.png", "old/x/4.png", "odd[1]/5.png", "é.png"}),
        ("odd[1]", {"odd[1]/5.png"}),
        ("[ab]", set()),
        ("e\u0301.png", {"é.png"}),
        ("1.PNG", set()),
        ("1.pn", set()),
    ],
)
def test_patterns_name_files_and_folders(pattern, meant):
    assert set(filter(matcher([pattern]), FILES)) == meant
    assert idle([pattern], FILES) == ([] if meant else [pattern])


MASKED = {f"{label}/{number}{end}.png": b"" for label in ("sick", "well") for number in "12" for end in ("", "_mask")}


@pytest.mark.parametrize("keys", [{"exclude": ["*_mask.png"]}, {"include": ["?.png"]}])
def test_the_study_says_which_files_are_meant(pack, keys):
    source = pack("chest.zip", MASKED)
    assert index(source, **keys)["image_id"].tolist() == ["sick/1.png", "sick/2.png", "well/1.png", "well/2.png"]
    assert lost(source) == {"excluded": 4}


@pytest.mark.parametrize("key", ["include", "exclude"])
def test_a_pattern_that_matches_nothing_is_named(pack, key):
    with pytest.raises(UserError, match=rf"no file that matches '\*_masks\.png' under `{key}`"):
        index(pack("chest.zip", MASKED), **{key: ["*.png", "*_masks.png"]})


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("sick/1.png", "sick/1_mask.png"),
        ("sick/1.jpg", "sick/1-mask.png"),
        ("sick/1.png", "sick/1_Mask_2.tif"),
        ("sick/1.png", "sick/mask_1.png"),
        ("sick/1.png", "sick/1_segmentation.png"),
        ("sick/images/1.png", "sick/masks/1.png"),
        ("images/sick/1.png", "masks/sick/1.gif"),
        ("sick/images/1.png", "sick/ground truth/1.png"),
        ("sick/img/1.png", "sick/annotations/1_gt.png"),
    ],
)
def test_masks_beside_images_stop(pack, image, mask):
    source = pack("chest.zip", {image: b"", mask: b"", "well/9.png": b""})
    index(source)
    assert source.losses.names("paired") == [mask]
    with pytest.raises(UserError, match=r"as masks are: 1, such as .*accept: {chest: {paired: 1}}"):
        source.losses.refuse("chest", "chest", {})


@pytest.mark.parametrize("ending", ["_label", "_m", "-M", " annotated", "_bin", ".outline", "_x2"])
def test_images_with_one_ending_beside_others_stop(pack, ending):
    names = [f"sick/{name}{end}.png" for name in "abc" for end in ("", ending)]
    source = pack("chest.zip", dict.fromkeys([*names, "well/9.png"], b""))
    index(source)
    assert source.losses.names("paired") == [name for name in names if ending in name]


def test_images_in_folders_of_two_classes_stop(pack):
    names = ["x/sick/well/1.png", "x/well/sick/2.png", "x/sick/3.png", "x/well/4.png", "x/sick/sick/5.png"]
    source = pack("chest.zip", dict.fromkeys(names, b""))
    assert index(source)["label"].tolist() == ["sick", "sick", "well", "well", "sick"]
    assert source.losses.names("between") == names[:2]
    with pytest.raises(UserError, match=r"folders of two classes.*: 2, such as .*accept: {chest: {between: 2}}"):
        source.losses.refuse("chest", "chest", {})


def test_a_folder_that_all_images_lie_in_may_have_the_name_of_a_class(pack):
    source = pack("chest.zip", dict.fromkeys(["sick/well/1.png", "sick/sick/2.png"], b""))
    index(source)
    assert source.losses.names("between") == []


@pytest.mark.parametrize(
    "names",
    [
        ("sick/1.png", "sick/1_left.png"),
        ("sick/1.png", "sick/1_2.png", "sick/2.png", "sick/2_2.png"),
        ("sick/masked man.png", "sick/man.png"),
        ("sick/1_mask.png", "sick/2.png"),
        ("sick/p1/1.png", "sick/p2/1.png"),
    ],
)
def test_other_pairs_of_names_are_images(pack, names):
    source = pack("chest.zip", dict.fromkeys(names, b"") | {"well/9.png": b""})
    assert len(index(source)) == len(names) + 1
    assert lost(source) == {}


def test_a_class_may_be_called_as_masks_are(pack):
    source = pack("chest.zip", {"mask/1.png": b"", "no mask/1.png": b""})
    assert index(source, classes=["mask", "no mask"])["label"].tolist() == ["mask", "no mask"]
    assert lost(source) == {}


@pytest.mark.parametrize("other", ["Sick", "sick ", "SICK", " sick"])
@pytest.mark.parametrize("both", [True, False])
def test_folders_that_are_spelt_otherwise_than_a_class_are_refused(pack, other, both):
    members = {f"{other}/1.png": b"", "well/2.png": b""} | ({"sick/3.png": b""} if both else {})
    with pytest.raises(UserError, match=rf"chest\.zip has '{other}' where the study says 'sick'"):
        index(pack("chest.zip", members))


def test_spaces_hyphens_and_underscores_are_another_spelling_too(pack):
    members = {"very_sick/1.png": b"", "very sick/2.png": b"", "well/2.png": b""}
    with pytest.raises(UserError, match="has 'very_sick' where the study says 'very sick'"):
        index(pack("chest.zip", members), classes=["very sick", "well"])
    assert len(index(pack("other.zip", members), classes=["very sick", "well"], exclude=["very_sick"])) == 2


SPLIT = {"train": "train", "validation": "val", "test": "test"}


def test_folders_tell_the_published_split(pack):
    members = {f"{part}/{label}/1.png": b"" for part in ("train", "val", "test") for label in ("sick", "well")}
    source = pack("chest.zip", members | {"extra/sick/1.png": b""})
    table = index(source, split=SPLIT)
    assert dict(zip(table["image_id"], table["split"], strict=True)) == {
        name: {"val": "validation"}.get(name.split("/")[0], name.split("/")[0]) for name in members
    }
    assert source.losses.names("outside") == ["extra/sick/1.png"]
    assert "split" not in index(pack("other.zip", members))


def test_a_folder_that_is_spelt_otherwise_than_the_split_is_refused(pack):
    members = {f"{part}/{label}/1.png": b"" for part in ("Train", "val", "test") for label in ("sick", "well")}
    with pytest.raises(UserError, match="has 'Train' where the study says 'train'"):
        index(pack("chest.zip", members), split=SPLIT)


def test_names_in_an_encoding_that_a_zip_does_not_tell_are_the_reason_that_is_given(tmp_path):
    path = tmp_path / "chest.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("aaaa/1.png", "well/1.png"):
            archive.writestr(name, b"")
    path.write_bytes(path.read_bytes().replace(b"aaaa/", "良性/".encode("gbk")))
    source = Source(path)
    with pytest.raises(UserError, match=r"folder named '良性'.*that the archive does not tell: 1.*names in UTF-8"):
        index(source, classes=["良性", "well"])


def test_a_zip_written_with_backslashes_is_read(tmp_path):
    path = tmp_path / "chest.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("chest\\sick\\1.png", "chest\\well\\1.png"):
            archive.writestr(name, encoded("PNG"))
    source = Source(path)
    assert index(source)["image_id"].tolist() == ["sick/1.png", "well/1.png"]
    assert source.read("chest/sick/1.png") == encoded("PNG")


@pytest.mark.parametrize("path", [None, "here"])
def test_the_remedy_is_one_for_data_of_ones_own(tmp_path, path):
    (tmp_path / "chest.zip").write_bytes(b"no archive")
    dataset = registry.load("chest", declared(path=path))
    words = "datasets.chest.path says" if path else "into the mirror"
    with pytest.raises(UserError, match=rf"not a readable zip archive .*: put a sound .*{words}") as caught:
        dataset.listing([tmp_path / "chest.zip"])
    assert "delete" not in str(caught.value)
    assert "fetch" not in str(caught.value)
