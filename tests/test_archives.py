"""Archives are read in place, and damaged ones are named."""

import zipfile

import pandas as pd
import pytest

from medpeft.archives import Source, find_images, find_member, find_table, with_images
from medpeft.errors import UserError

MEMBERS = {"top/b (1).txt": b"b", "top/deep/a.txt": b"a" * 10_000}


@pytest.fixture(params=["zip", "folder"])
def source(request, tmp_path):
    """Return the members as a zip archive and as a folder."""
    if request.param == "folder":
        for name, content in MEMBERS.items():
            (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "folder" / name).write_bytes(content)
        return Source(tmp_path / "folder")
    return Source(zipped(tmp_path, MEMBERS))


def zipped(folder, members):
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("top")
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_names_are_the_sorted_files(source):
    assert source.names() == sorted(MEMBERS)


def test_members_are_read_unaltered(source):
    assert {name: source.read(name) for name in source.names()} == MEMBERS


def test_a_missing_member_is_named(source):
    with pytest.raises(UserError, match=r"holds no readable 'absent\.png'"):
        source.read("absent.png")


def test_reading_writes_nothing_wherever_member_names_point(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    source = Source(zipped(inside, {"../escaped.txt": b"x", "/tmp/absolute.txt": b"y"}))
    before = sorted(tmp_path.rglob("*"))
    assert sorted(source.read(name) for name in source.names()) == [b"x", b"y"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("content", [b"", b"no archive", b"<html>log in</html>"])
def test_a_file_that_is_no_archive_is_named_with_the_remedy(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.zip is not a readable zip archive .*: delete it and run again"):
        Source(path)


def test_an_archive_that_does_not_exist_is_no_empty_folder(tmp_path):
    with pytest.raises(UserError, match=r"absent\.zip is not a readable zip archive"):
        Source(tmp_path / "absent.zip")


@pytest.mark.parametrize("offset", range(60, 100, 5))
def test_a_damaged_member_is_named_whatever_byte_is_damaged(tmp_path, offset):
    path = zipped(tmp_path, {"a.png": bytes(range(256)) * 100})
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"holds no readable 'a\.png'"):
        Source(path).read("a.png")


def test_an_encrypted_member_is_named(tmp_path):
    path = zipped(tmp_path, {"a.png": b"secret"})
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(signature) + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="encrypted"):
        Source(path).read("a.png")


def test_a_table_that_is_published_by_itself_is_its_own_only_member(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x\n1\n")
    source = Source(tmp_path / "a.csv")
    assert source.names() == ["a.csv"]
    assert source.read("a.csv") == b"x\n1\n"


def test_a_table_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.csv holds no readable 'absent\.csv'"):
        Source(tmp_path / "absent.csv").read("absent.csv")


def test_a_table_is_found_in_any_source_and_folder_and_stays_text(pack):
    sources = [pack("a.zip", {"x.png": b""}), pack("b.zip", {"deep/er/t v2.csv": b"id,code\n001,NA\n002,\n"})]
    table = find_table(sources, "t*.csv", ["id"])
    assert table.to_dict("list") == {"id": ["001", "002"], "code": ["NA", ""]}


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"x.png": b""}, r"there is no t\.csv in .*a\.zip: fetch the archive as it is published"),
        ({"t.csv": b"code\n1\n"}, r"'t\.csv' in .*a\.zip lacks the columns id: fetch the published version"),
        ({"t.csv": b""}, r"'t\.csv' in .*a\.zip is no table"),
        ({"t.csv": b"\xff\xfe\x00"}, r"'t\.csv' in .*a\.zip is no table"),
        ({"__MACOSX/t.csv": b"id\n1\n", "d/._t.csv": b""}, r"there is no t\.csv in"),
    ],
)
def test_a_table_that_is_missing_or_another_is_named(pack, members, sentence):
    with pytest.raises(UserError, match=sentence):
        find_table([pack("a.zip", members)], "t.csv", ["id"])


def test_a_member_that_is_not_there_is_none(pack):
    assert find_member([pack("a.zip", {"b": b""})], "c") is None


def test_images_are_found_by_the_end_of_their_names_and_the_first_of_copies_is_taken(pack):
    first = pack("a.zip", {"IMAGES/7.jpg": b"", "more/images/8.JPG": b"", "masks/7.jpg": b"", "images/7.jpg.txt": b""})
    second = pack(
        "b.zip", {"images/7.jpg": b"", "images/9.jpg": b"", "__MACOSX/images/5.jpg": b"", "images/._6.jpg": b""}
    )
    assert find_images([first, second], r"images/(\d)\.jpg") == {
        "7": "a.zip/IMAGES/7.jpg",
        "8": "a.zip/more/images/8.JPG",
        "9": "b.zip/images/9.jpg",
    }


def test_missing_images_are_left_out_counted_and_listed(caplog):
    table = pd.DataFrame({"image_id": ["c", "b", "a"], "label": ["x", "y", "z"]})
    result = with_images(table, {"a": "z.zip/a.png", "c": "z.zip/c.png"})
    assert result["image_id"].tolist() == ["a", "c"]
    assert result["source_file"].tolist() == ["z.zip/a.png", "z.zip/c.png"]
    assert result["label"].tolist() == ["z", "x"]
    assert caplog.messages == ["1 of 3 images are missing and left out: b"]


def test_nothing_is_logged_where_no_image_is_missing(caplog):
    assert len(with_images(pd.DataFrame({"image_id": ["a"]}), {"a": "z.zip/a.png"})) == 1
    assert not caplog.messages


def test_no_image_at_all_gives_an_empty_table():
    result = with_images(pd.DataFrame({"image_id": ["a"]}), {})
    assert len(result) == 0
    assert "source_file" in result
