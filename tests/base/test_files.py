"""Files are written whole or not at all, and tables come back as they went."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file

from medpeft.base.errors import UserError
from medpeft.base.files import (
    check_checksum,
    drop_torn_line,
    read_table,
    replacing,
    set_modes,
    write_checksum,
    write_json,
    write_table,
)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".file.1234.part").write_text("half")
    (tmp_path / ".file2.1234.part").write_text("of another file")
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".file2.1234.part", "file"]


def test_what_a_killed_process_left_of_a_file_whose_name_begins_alike_stays(tmp_path):
    """It may be in use by another job: split.csv and split.csv.sha256, a.zip and a.zip.csv, labels[1].csv."""
    for name in (".split.csv.sha256.12ab.part", ".split.csv.12ab.part", ".split1csv.12ab.part"):
        (tmp_path / name).write_text("half")
    with replacing(tmp_path / "split.csv") as temporary:
        temporary.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".split.csv.sha256.12ab.part",
        ".split1csv.12ab.part",
        "split.csv",
    ]
    (tmp_path / ".labels[1].csv.12ab.part").write_text("half")
    with replacing(tmp_path / "labels[1].csv") as temporary:
        temporary.write_text("whole")
    assert not (tmp_path / ".labels[1].csv.12ab.part").exists()


def _private(path):
    """Write a file as a library does that makes a temporary file of its own."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    os.close(descriptor)
    Path(name).replace(path)


WRITERS = {
    "a private temporary file": _private,
    "safetensors": lambda path: save_file({"x": np.zeros(3, np.float32)}, path),
    "torch": lambda path: torch.save({"x": torch.zeros(3)}, path),
    "pandas": lambda path: pd.DataFrame({"x": [1]}).to_csv(path),
    "a copy of a private file": lambda path: shutil.copy2(_made(path.with_name("source"), 0o600), path),
}


def _made(path, mode):
    path.touch()
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("mask", "mode", "passable"), [(0o022, 0o644, 0o755), (0o002, 0o664, 0o775), (0o077, 0o600, 0o700)]
)
def test_the_umask_decides_who_may_read_whatever_library_writes(tmp_path, mask, mode, passable):
    before = os.umask(mask)
    try:
        for name, write in WRITERS.items():
            with replacing(tmp_path / name) as temporary:
                write(temporary)
            assert (tmp_path / name).stat().st_mode & 0o777 == mode, name
        folder = tmp_path / "folder" / "inner"
        folder.mkdir(parents=True, mode=0o700)
        _made(folder / "weights", 0o600)
        set_modes(folder.parent)
        assert (folder / "weights").stat().st_mode & 0o777 == mode
        assert folder.stat().st_mode & 0o777 == passable
        assert [path.name for path in folder.parent.rglob("*")] == ["inner", "weights"]
    finally:
        os.umask(before)


@pytest.mark.parametrize(("content", "kept"), [(b"a\nb\nha", b"a\nb\n"), (b"half", b""), (b"", b""), (b"a\n", b"a\n")])
def test_a_torn_last_line_is_cut_off(tmp_path, content, kept):
    (tmp_path / "journal").write_bytes(content)
    drop_torn_line(tmp_path / "journal")
    assert (tmp_path / "journal").read_bytes() == kept


def test_where_there_is_no_file_there_is_no_torn_line(tmp_path):
    drop_torn_line(tmp_path / "journal")
    assert not list(tmp_path.iterdir())


def test_equal_content_gives_equal_bytes(tmp_path):
    write_json(tmp_path / "a", {"x": 1, "y": [0.1, None]})
    write_json(tmp_path / "b", {"y": [0.1, None], "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_table_survives_the_round_trip(tmp_path):
    values = np.random.default_rng(0).random(1000) * 10.0 ** np.random.default_rng(1).integers(-20, 20, 1000)
    table = pd.DataFrame({"image_id": [f"{row:04d}" for row in range(1000)], "caption": "", "value": values})
    write_table(tmp_path / "table.csv", table)
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), table, check_dtype=False, check_exact=True)


def test_labels_that_look_like_numbers_or_gaps_stay_text(tmp_path):
    table = pd.DataFrame({"label": ["None", "NA", "001", ""], "value": [1.0, None, 3.0, 4.0]})
    write_table(tmp_path / "table.csv", table)
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), table, check_dtype=False)


def test_empty_table_of_pairs_keeps_its_types(tmp_path):
    write_table(tmp_path / "pairs.csv", pd.DataFrame(columns=["first", "second", "kind", "same_label"]))
    pairs = read_table(tmp_path / "pairs.csv")
    assert pairs[~pairs["same_label"]].empty
    assert list(pairs[~pairs["same_label"]].columns) == list(pairs.columns)


def test_a_checksum_beside_a_file_is_as_sha256sum_writes_it_and_is_checked(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("image_id,split\n", encoding="utf-8")
    check_checksum(path)  # none beside it
    write_checksum(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (tmp_path / "split.csv.sha256").read_text(encoding="utf-8") == f"{found}  split.csv\n"
    check_checksum(path)
    path.write_text("image_id,split\nx,test\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"split\.csv is not the file whose SHA-256 .*split\.csv\.sha256 tells"):
        check_checksum(path)
