"""Folders and zips are listed whole; what cannot be read is named with its cause."""

import os
import socket
import zipfile

import pytest

from medpeft.base.errors import UserError
from medpeft.base.listing import list_folder, packed_members, unclear_names


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_links_to_files_and_folders_are_followed(tmp_path):
    write(tmp_path, "elsewhere/deep/b.png", "elsewhere/a.png", "top/c.png")
    (tmp_path / "top" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "top" / "d.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    assert list_folder(tmp_path / "top") == (["c.png", "d.png", "linked/a.png", "linked/deep/b.png"], {})


def test_a_link_to_a_folder_above_ends(tmp_path):
    write(tmp_path, "top/a/b/1.png")
    (tmp_path / "top" / "a" / "b" / "up").symlink_to(tmp_path / "top")
    (tmp_path / "top" / "a" / "here").symlink_to(".")
    assert list_folder(tmp_path / "top") == (["a/b/1.png"], {})


def test_two_links_to_one_folder_are_both_followed(tmp_path):
    write(tmp_path, "elsewhere/1.png")
    (tmp_path / "top").mkdir()
    for name in "ab":
        (tmp_path / "top" / name).symlink_to(tmp_path / "elsewhere")
    assert list_folder(tmp_path / "top")[0] == ["a/1.png", "b/1.png"]


def test_what_cannot_be_read_is_named_with_its_cause(tmp_path):
    write(tmp_path, "a.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    names, broken = list_folder(tmp_path)
    assert names == ["a.png"]
    assert broken == {
        "gone.png": "a link without a target",
        "pipe": "neither a file nor a folder",
        "round.png": "Too many levels of symbolic links",
        "socket": "neither a file nor a folder",
    }


def test_folders_and_files_without_permission_are_named(tmp_path, monkeypatch):
    """Permission is taken away by hand, for root may read everything."""
    write(tmp_path, "a/1.png", "b/2.png", "c.png")
    look, may = os.scandir, os.access

    def refusing(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(os, "scandir", refusing)
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("c.png") and may(path, mode))
    assert list_folder(tmp_path) == (["a/1.png"], {"b": "Permission denied", "c.png": "Permission denied"})


def test_names_that_are_not_in_utf8_are_named(tmp_path):
    write(tmp_path, "a.png")
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    (tmp_path / os.fsdecode(b"\xe9t\xe9")).mkdir()
    names, broken = list_folder(tmp_path)
    assert names == ["a.png"]
    assert broken == {name: "its name is not in UTF-8: rename it" for name in ("caf\\udce9.png", "\\udce9t\\udce9")}


def packed(path, *members, change=lambda info: None):
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            info = zipfile.ZipInfo(name)
            change(info)
            archive.writestr(info, name)
    return zipfile.ZipFile(path)


def test_backslashes_are_slashes(tmp_path):
    archive = packed(tmp_path / "a.zip", "sick\\1.png", "well/deep\\2.png")
    members = packed_members(tmp_path / "a.zip", archive)
    assert list(members) == ["sick/1.png", "well/deep/2.png"]
    assert archive.read(members["sick/1.png"]) == b"sick\\1.png"


def renamed(path, old, new):
    """Write another name of the same length into a zip, as bytes, without saying that it is in UTF-8."""
    content = path.read_bytes()
    assert content.count(old) >= 2
    path.write_bytes(content.replace(old, new))
    return packed_members(path, zipfile.ZipFile(path))


def test_names_in_utf8_are_known_where_the_archive_does_not_say_so(tmp_path):
    packed(tmp_path / "a.zip", "aa/1.png").close()
    members = renamed(tmp_path / "a.zip", b"aa/1.png", "ä/1.png".encode())
    assert list(members) == ["ä/1.png"]
    assert list(unclear_names(members)) == []


@pytest.mark.parametrize("encoding", ["gbk", "shift_jis", "big5"])
def test_names_in_another_encoding_are_told(tmp_path, encoding):
    packed(tmp_path / "a.zip", "aaaa/1.png", "b/2.png").close()
    members = renamed(tmp_path / "a.zip", b"aaaa/1.png", "良性/1.png".encode(encoding))
    assert len(list(unclear_names(members))) == 1
    assert "b/2.png" in members


@pytest.mark.parametrize(("method", "words"), [(9, "Deflate64"), (98, "method 98")])
def test_another_way_of_packing_is_named_with_the_remedy(tmp_path, method, words):
    archive = packed(tmp_path / "a.zip", "a.png", "b.png")
    archive.infolist()[1].compress_type = method
    with pytest.raises(
        UserError, match=rf"a\.zip is refused: its member 'b\.png' is packed by {words}.*use the folder"
    ):
        packed_members(tmp_path / "a.zip", archive)


def test_a_name_that_is_there_twice_is_refused_where_the_content_differs(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for content in (b"1", b"1"):
            archive.writestr("a.png", content)
    assert list(packed_members(path, zipfile.ZipFile(path))) == ["a.png"]
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.png", b"2")
    with pytest.raises(UserError, match=r"it holds 'a\.png' twice, with different content"):
        packed_members(path, zipfile.ZipFile(path))
