"""Files are written whole or not at all, and tables come back as they went."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from medpeft.base.errors import UserError
from medpeft.base.files import check_checksum, read_table, replacing, write_checksum, write_json, write_table


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
