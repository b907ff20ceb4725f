"""Patients are found in names, folders and tables; what finds none, two or half of them stops."""

import pandas as pd
import pytest
from declared import declared, index, lost

from medpeft.base.errors import UserError
from medpeft.base.losses import Losses
from medpeft.data import registry
from medpeft.data.own.groups import groups_by_pattern, note_doubts

CHEXPERT = [f"patient{p:05d}/study{s}/view1_frontal.jpg" for p in range(1, 6) for s in (1, 2)]


def groups(pattern: str, paths: list[str]) -> list[str]:
    return groups_by_pattern(pattern, pd.Series(paths), "here").tolist()


@pytest.mark.parametrize(
    "pattern", [r"(patient\d+)", r"(patient\d+)/", r"^(patient\d+)/", r"(patient\d+)/study\d+/view"]
)
def test_the_patient_may_be_a_folder(pattern):
    assert groups(pattern, CHEXPERT) == [path.split("/")[0] for path in CHEXPERT]


@pytest.mark.parametrize("top", ["", "sick/", "train/sick/"])
def test_the_folder_of_the_patient_lies_anywhere(top):
    assert groups(r"(patient\d+)", [top + path for path in CHEXPERT]) == [path.split("/")[0] for path in CHEXPERT]


def test_class_folders_around_folders_of_patients(pack):
    members = {f"{'sick' if int(path[11]) % 2 else 'well'}/{path}": b"" for path in CHEXPERT}
    source = pack("chest.zip", members)
    assert index(source, group=r"(patient\d+)")["group_id"].nunique() == 5
    assert lost(source) == {}


@pytest.mark.parametrize("pattern", [r"patient_(\d+)", r"^(\d+)_", r"(Patient\d+)", r"^(view\d)$"])
def test_a_pattern_that_matches_nothing_is_refused_with_counts(pattern):
    with pytest.raises(
        UserError, match=r"here: `group`, .*, matches no name and no path of 10 images, such as 'patient0"
    ):
        groups(pattern, CHEXPERT)


@pytest.mark.parametrize("pattern", [r"(\d+)", r"(\d)", r"[a-z](\d+)"])
def test_a_pattern_that_finds_two_things_is_refused(pattern):
    """The 1 of view1 would make one patient of all."""
    with pytest.raises(
        UserError, match=r"finds '1' in the name of 'patient00001/study1/view1_frontal\.jpg' and '0+1?' in"
    ):
        groups(pattern, CHEXPERT)


@pytest.mark.parametrize(
    ("pattern", "path", "group"),
    [
        (r"^(\d+)_", "sick/12_0.png", "12"),
        (r"(\d+)_", "sick/12_0.png", "12"),
        (r"(\d+)[^/]*$", "part_1/12_0.png", "12"),
        (r"^(\d+)", "0/9003175L.png", "9003175"),
        (r"(person\d+|IM-\d+)", "train/NORMAL/IM-0115-0001.jpeg", "IM-0115"),
        (r"^(?:p|P)(\d+)", "2020/p7.png", "7"),
    ],
)
def test_the_name_of_the_file_goes_first(pattern, path, group):
    assert groups(pattern, [path]) == [group]


def test_names_that_do_not_match_are_counted_and_stop(pack):
    source = pack("chest.zip", {f"{label}/{name}.png": b"" for label in ("sick", "well") for name in ("12_0", "odd")})
    table = index(source, group=r"^(\d+)_")
    assert table["group_id"].tolist() == ["12", "sick/odd.png", "12", "well/odd.png"]
    with pytest.raises(UserError, match=r"each its own: 2, such as 'sick/odd\.png', .*accept: {chest: {ungrouped: 2}}"):
        source.losses.refuse("chest", "chest", {})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12", "12.0"),
        ("P1", "P1 "),
        ("P1", "p1"),
        ("P1", "P 1"),
        ("007", "7"),
        ("P007", "P7"),
        ("12.00", "12"),
        ("\uff211", "A1"),
    ],
)
def test_patients_that_are_written_in_two_ways_stop(one, other):
    losses = Losses()
    note_doubts(pd.Series([one, other, "13"]), pd.Series(["a", "b", "c"]), losses)
    assert losses.names("alike") == [" and ".join(sorted([one, other]))]
    with pytest.raises(UserError, match=r"'.0' alone: 1, such as .*accept: {chest: {alike: 1}}"):
        losses.refuse("chest", "chest", {})


@pytest.mark.parametrize(
    ("one", "other"),
    [("12", "120"), ("10", "100"), ("1.05", "1.5"), ("1-2", "12"), ("P1", "P10"), ("P1", "Q1"), ("0", "00a")],
)
def test_other_patients_are_two(one, other):
    losses = Losses()
    note_doubts(pd.Series([one, other]), pd.Series(["a", "b"]), losses)
    assert losses.names("alike") == []


@pytest.mark.parametrize("nobody", ["", "NA", "nan", "None", "unknown", "?", "N/A"])
def test_what_names_nobody_is_no_patient(pack, nobody):
    rows = f"path,label,group\na.png,sick,{nobody}\nb.png,well,{nobody}\nc.png,well,1\n"
    source = pack("chest.zip", {"a.png": b"", "b.png": b"", "c.png": b"", "t.csv": rows.encode()})
    assert index(source, table="t.csv")["group_id"].tolist() == ["a.png", "b.png", "1"]
    assert source.losses.names("ungrouped") == ["a.png", "b.png"]


def test_without_pattern_and_column_each_image_is_its_own_and_the_card_says_so(pack):
    source = pack("chest.zip", {"sick/1.png": b"", "well/1.png": b""})
    assert index(source)["group_id"].tolist() == ["sick/1.png", "well/1.png"]
    assert lost(source) == {}
    assert any("Patients are not declared" in caveat for caveat in registry.load("chest", declared()).caveats)
