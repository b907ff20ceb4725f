"""Archives are read in place, and damaged ones are named."""

import gzip
import io
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pytest

from medpeft.base.errors import UserError
from medpeft.data import archives
from medpeft.data.archives import Source, find_images, find_member, find_table, with_images

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


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/tmp/out.txt", "C:/out.txt", "a\\..\\..\\out.txt"])
def test_a_member_that_leads_out_of_the_archive_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=r"a\.zip is refused: its member .*out\.txt' is a name that leads out"):
        Source(zipped(tmp_path, {"good.txt": b"", name: b""}))


def test_a_symbolic_link_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo("innocent.png")
        member.create_system, member.external_attr = 3, 0o120777 << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(UserError, match=r"'innocent\.png' is a symbolic link"):
        Source(path)


def test_dots_in_names_are_no_way_out(tmp_path):
    assert Source(zipped(tmp_path, {"a..b/c...png": b"x"})).read("a..b/c...png") == b"x"


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 10**6)
    source = Source(zipped(tmp_path, {"bomb.png": bytes(10**6 + 1), "a.png": bytes(10**6)}))
    assert len(source.read("a.png")) == 10**6
    tracemalloc.start()
    with pytest.raises(UserError, match=r"no readable 'bomb\.png' \(unpacked it would have 1,000,001 bytes\)"):
        source.read("bomb.png")
    assert tracemalloc.get_traced_memory()[1] < 10**5
    tracemalloc.stop()


def test_a_member_that_unpacks_to_more_than_it_says_is_refused(tmp_path):
    path = zipped(tmp_path, {"bomb.png": bytes(10**6)})
    content = path.read_bytes()
    path.write_bytes(content.replace((10**6).to_bytes(4, "little"), (10**3).to_bytes(4, "little")))
    with pytest.raises(UserError, match=r"no readable 'bomb\.png'"):
        Source(path).read("bomb.png")


STACK = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 3), dtype=np.uint8)


@pytest.fixture(params=[np.savez, np.savez_compressed])
def stacked(request, tmp_path):
    path = tmp_path / "a.npz"
    request.param(path, train_images=STACK, val_images=STACK[:2, :, :, 0], train_labels=np.arange(5)[:, None])
    return Source(path)


def test_the_images_of_a_numpy_archive_are_members(stacked):
    train = [f"train_images/{number:06d}.npy" for number in range(5)]
    assert stacked.names() == [*train, "train_labels.npy", "val_images/000000.npy", "val_images/000001.npy"]
    for number in (0, 1, 4, 2, 2, 3):  # onwards, over some, back, and again
        assert np.array_equal(np.load(io.BytesIO(stacked.read(train[number]))), STACK[number])
    assert np.array_equal(np.load(io.BytesIO(stacked.read("val_images/000001.npy"))), STACK[1, :, :, 0])
    assert np.load(io.BytesIO(stacked.read("train_labels.npy"))).tolist() == [[0], [1], [2], [3], [4]]


@pytest.mark.parametrize("name", ["train_images/000005.npy", "train_images/x.npy", "test_images/000000.npy"])
def test_an_image_that_a_numpy_archive_lacks_is_named(stacked, name):
    with pytest.raises(UserError, match=f"no readable '{name}'"):
        stacked.read(name)


def test_a_table_that_grows_out_of_bounds_is_refused(pack):
    """Four megabytes that become gigabytes, and lines so short that their number alone fills the memory."""
    for content in (bytes(10**9), b"a\n" * 5_000_001):
        with pytest.raises(UserError, match=r"t\.csv\.gz' in .* is no table \((unpacked it|it) has more than"):
            find_table([pack("a.zip", {"t.csv.gz": gzip.compress(content, 1)})], "t.csv*", ["id"])


def test_a_table_may_be_packed_with_gzip(pack):
    whole = gzip.compress(b"id\n7\n")
    assert find_table([pack("a.zip", {"t.csv.gz": whole})], "t.csv*", ["id"])["id"].tolist() == ["7"]
    with pytest.raises(UserError, match=r"t\.csv\.gz' in .* is no table"):
        find_table([pack("b.zip", {"t.csv.gz": whole[:-9]})], "t.csv*", ["id"])


@pytest.mark.parametrize("content", [b"", b"no archive", b"<html>log in</html>"])
def test_a_file_that_is_no_archive_is_named_with_the_remedy(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.zip is not a readable zip archive .*: delete the archive and run again"):
        Source(path)


def test_an_archive_of_a_later_version_of_the_format_is_named_with_the_remedy(tmp_path):
    path = zipped(tmp_path, {"a.png": b"1"})
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 6] = 129
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"not a readable zip archive \(zip file version 12\.9\): delete the archive"):
        Source(path)


def test_an_archive_that_does_not_exist_is_no_empty_folder(tmp_path):
    with pytest.raises(UserError, match=r"absent\.zip is not a readable zip archive"):
        Source(tmp_path / "absent.zip")


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("offset", range(60, 100, 5))
def test_a_damaged_member_is_named_whatever_byte_is_damaged(tmp_path, packing, offset):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("a.png", np.random.default_rng(0).bytes(1000))
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
        ({"x.png": b""}, r"there is no t\.csv in .*a\.zip: name a table .* or fetch the archive"),
        ({"t.csv": b"code\n1\n"}, r"'t\.csv' in .*a\.zip lacks the columns id: add them, or fetch the published"),
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


def test_missing_images_are_left_out_and_counted(pack):
    source = pack("z.zip", {"a.png": b""})
    table = pd.DataFrame({"image_id": ["c", "b", "a"], "label": ["x", "y", "z"]})
    result = with_images(table, {"a": "z.zip/a.png", "c": "z.zip/c.png"}, source)
    assert result["image_id"].tolist() == ["a", "c"]
    assert result["source_file"].tolist() == ["z.zip/a.png", "z.zip/c.png"]
    assert result["label"].tolist() == ["z", "x"]
    assert source.losses.names("missing") == ["b"]


def test_nothing_is_counted_where_no_image_is_missing(pack):
    source = pack("z.zip", {"a.png": b""})
    assert len(with_images(pd.DataFrame({"image_id": ["a"]}), {"a": "z.zip/a.png"}, source)) == 1
    assert len(source.losses.table()) == 0


def test_no_image_at_all_gives_an_empty_table(pack):
    result = with_images(pd.DataFrame({"image_id": ["a"]}), {}, pack("z.zip", {"a.png": b""}))
    assert len(result) == 0
    assert "source_file" in result
