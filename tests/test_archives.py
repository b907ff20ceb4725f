"""Archives are read in place, and damaged ones are named."""

import zipfile

import pytest

from medpeft.archives import Source
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
