"""The table that lists a user's images: found without guessing, its columns under any name, none of them overlooked."""

import pytest
from declared import declared, index, lost

from medpeft.base.errors import UserError
from medpeft.data import registry

IMAGES = {f"x/images/{name}.png": b"" for name in "abc"}
ROWS = "path,label\nimages/a.png,sick\nimages/b.png,well\n"


def table(text: str, name: str = "x/labels.csv") -> dict[str, bytes]:
    return IMAGES | {name: text.encode()}


@pytest.mark.parametrize(
    ("others", "asked", "found"),
    [
        (["x/2023_old/labels.csv"], "labels.csv", None),
        (["x/train/labels.csv"], "labels.csv", None),
        (["x/2023_old/labels.csv"], "x/labels.csv", "x/labels.csv"),
        (["x/2023_old/labels.csv"], "./x/labels.csv", "x/labels.csv"),
        (["labels.csv"], "labels.csv", None),
        (["labels.csv"], "x/labels.csv", "x/labels.csv"),
        ([], "labels.csv", "x/labels.csv"),
        ([], "x\\labels.csv", "x/labels.csv"),
        ([], "l*.csv", "x/labels.csv"),
        (["x/lists.csv"], "l*.csv", None),
        (
            ["x/.old/labels.csv", "__MACOSX/x/labels.csv", "x/._labels.csv", "x/old_labels.csv"],
            "labels.csv",
            "x/labels.csv",
        ),
    ],
)
def test_a_table_is_found_or_its_rivals_are_named(pack, others, asked, found):
    wrong = b"path,label\nimages/a.png,well\nimages/b.png,sick\n"
    source = pack("chest.zip", table(ROWS) | dict.fromkeys(others, wrong))
    if found:
        assert index(source, table=asked)["label"].tolist() == ["sick", "well"]
    else:
        with pytest.raises(UserError, match=rf"may be each of '{others[0]}' and '|' and '{others[0]}' in .*whole path"):
            index(source, table=asked)


def test_a_rival_may_be_excluded(pack):
    source = pack("chest.zip", table(ROWS) | {"x/2023_old/labels.csv": b"path,label\n"})
    assert len(index(source, table="labels.csv", exclude=["2023_old"])) == 2


@pytest.mark.parametrize("name", ["labels[final].csv", "labels [v2] (1).csv", "[a].csv", "lists {new}.csv"])
def test_brackets_are_taken_as_written(pack, name):
    source = pack("chest.zip", table(ROWS, f"x/{name}"))
    assert len(index(source, table=name)) == 2
    with pytest.raises(UserError, match=r"there is no a\.csv in"):
        index(source, table="a.csv")


def test_brackets_in_the_paths_of_images_are_taken_as_written(pack):
    source = pack("chest.zip", {"1[a].png": b"", "1a.png": b"", "t.csv": b"path,label\n1[a].png,sick\n1a.png,well\n"})
    assert index(source, table="t.csv")["label"].tolist() == ["sick", "well"]


def test_a_table_that_is_not_there_is_named_with_the_closest(pack):
    with pytest.raises(UserError, match=r"there is no lables\.csv in .*: did you mean 'x/labels\.csv'"):
        index(pack("chest.zip", table(ROWS)), table="lables.csv")
    with pytest.raises(UserError, match=r"there is no labels\.csv in .*: name a table that is there"):
        index(pack("other.zip", IMAGES), table="labels.csv")


NIH = """Image Index,Finding Labels,Patient ID,Patient Age
images/a.png,sick,1,58
images/b.png,well,1,58
images/c.png,sick,2,60
"""
NAMES = {"path": "Image Index", "label": "Finding Labels"}


def test_columns_may_have_other_names(pack):
    source = pack("chest.zip", table(NIH))
    found = index(source, table="labels.csv", columns=NAMES | {"group": "Patient ID"})
    assert found["label"].tolist() == ["sick", "well", "sick"]
    assert found["group_id"].tolist() == ["1", "1", "2"]
    assert lost(source) == {}


def test_a_column_that_the_table_lacks_is_named_with_what_to_write(pack):
    with pytest.raises(UserError, match=r"lacks the column 'path', having Image Index, .*`columns: {path: NAME}`"):
        index(pack("chest.zip", table(NIH)), table="labels.csv")
    with pytest.raises(UserError, match=r"lacks the column 'label', having .*`columns: {label: Label}`"):
        index(pack("a.zip", table(ROWS.replace("label", "Label"))), table="labels.csv")
    with pytest.raises(UserError, match=r"lacks the column 'patient', having"):
        index(pack("b.zip", table(ROWS)), table="labels.csv", columns={"group": "patient"})


PATIENTS = ["Group", "GROUP", "group_id", "patient_id", "PatientID", "Patient ID", "patient", "subject", "Subject Id"]
PATIENTS += [
    "participant_id",
    "lesion_id",
    "case",
    "case_id",
    "MRN",
    "pid",
    "StudyInstanceUID",
    "donor",
    "person",
    "ID",
]


@pytest.mark.parametrize("name", PATIENTS)
def test_a_column_that_seems_to_tell_patients_and_is_not_read_stops(pack, name):
    rows = f"path,label,{name}\nimages/a.png,sick,1\nimages/b.png,well,1\nimages/c.png,well,2\n"
    with pytest.raises(
        UserError, match=rf"column '{name}', which is not read: .*columns: {{group: {name}}}.*group: null"
    ):
        index(pack("chest.zip", table(rows)), table="labels.csv")
    asked = {"table": "labels.csv", "columns": {"group": name}}
    assert index(pack("a.zip", table(rows)), **asked)["group_id"].tolist() == ["1", "1", "2"]
    asked["columns"] = {"group": None}
    assert index(pack("b.zip", table(rows)), **asked)["group_id"].tolist() == ["a.png", "b.png", "c.png"]
    assert len(index(pack("c.zip", table(rows)), table="labels.csv", group="(.)[.]png")) == 3


@pytest.mark.parametrize("name", ["image_id", "id", "age", "Patient Age", "PatientSex", "lesion_type", "View Position"])
def test_other_columns_are_no_matter(pack, name):
    rows = f"path,label,{name}\nimages/a.png,sick,1\nimages/b.png,well,2\n"
    assert len(index(pack("chest.zip", table(rows)), table="labels.csv")) == 2


def test_the_column_group_beside_one_of_patients_must_be_chosen(pack):
    rows = "path,label,group,patient_id\nimages/a.png,sick,control,1\nimages/b.png,well,control,2\n"
    with pytest.raises(UserError, match=r"column 'patient_id', which is not read: .*else `columns: {group: group}`"):
        index(pack("chest.zip", table(rows)), table="labels.csv")
    found = index(pack("a.zip", table(rows)), table="labels.csv", columns={"group": "group"})
    assert found["group_id"].tolist() == ["control", "control"]


@pytest.mark.parametrize("name", ["Split", "SOURCE", "Caption"])
def test_a_column_that_is_spelt_otherwise_stops(pack, name):
    rows = f"path,label,{name}\nimages/a.png,sick,train\nimages/b.png,well,test\n"
    with pytest.raises(UserError, match=rf"column '{name}', which is not read: .*{{{name.lower()}: {name}}}"):
        index(pack("chest.zip", table(rows)), table="labels.csv")


def test_a_pattern_and_a_column_for_the_same_must_be_chosen(pack):
    rows = "path,label,group,split\nimages/a.png,sick,1,train\nimages/b.png,well,2,test\n"
    with pytest.raises(UserError, match=r"has the column 'group' and the study the key `group`: .*{group: null}"):
        index(pack("chest.zip", table(rows)), table="labels.csv", group="(.)[.]png")
    with pytest.raises(UserError, match=r"has the column 'split' and the study the key `split`"):
        index(pack("a.zip", table(rows)), table="labels.csv", split={"train": "images"})
    asked = {"table": "labels.csv", "group": "(.)[.]png", "columns": {"group": None}}
    assert index(pack("b.zip", table(rows)), **asked)["group_id"].tolist() == ["a", "b"]


def test_a_table_beside_class_folders_that_tells_patients_must_be_read_or_excluded(pack):
    members = {
        "sick/1.png": b"",
        "well/2.png": b"",
        "meta.csv": b"file;patient_id\n1.png;7\n",
        "notes.csv": b"file,age\n",
    }
    with pytest.raises(
        UserError, match=r"holds 'meta\.csv', whose column 'patient_id' is not read: name the file under"
    ):
        index(pack("chest.zip", members))
    assert len(index(pack("a.zip", members), exclude=["meta.csv"])) == 2
    assert len(index(pack("b.zip", members), group="(.)[.]png")) == 2


def test_images_that_the_table_does_not_list_are_counted_and_stop_nothing(pack):
    source = pack("chest.zip", table(ROWS))
    index(source, table="labels.csv")
    assert source.losses.names("unlisted") == ["x/images/c.png"]
    source.losses.refuse("chest", "chest", {})


def test_rows_of_excluded_images_are_left_out(pack):
    source = pack("chest.zip", table(ROWS + "images/c.png,well\n"))
    assert len(index(source, table="labels.csv", exclude=["c.png"])) == 2
    assert lost(source) == {"excluded": 1}
    source = pack("a.zip", table(ROWS + "images/c.png,well\n"))
    assert len(index(source, table="labels.csv", include=["a.png", "b.png"])) == 2


def test_spaces_around_values_are_no_part_of_them(pack):
    rows = "path;label;group\nimages/a.png ; sick;P1 \n images/b.png;well ; P1\n"
    found = index(pack("chest.zip", table(rows)), table="labels.csv")
    assert found[["label", "group_id"]].values.tolist() == [["sick", "P1"], ["well", "P1"]]


def test_damage_to_a_table_is_named_with_the_remedy_for_ones_own(pack):
    source = pack("chest.zip", table("path,label\nimages/a.png,sick\nimages/b.png\n"))
    with pytest.raises(UserError, match=r"'x/labels\.csv' in .* is no table \(line 3 has 1 values.*a sound"):
        registry.load("chest", declared(table="labels.csv")).listing([source.path])


@pytest.mark.parametrize("name", ["{}.png", "{}", "images/{}.png", "CheXpert-v1.0/x/images/{}.png"])
def test_a_table_may_name_images_by_the_end_of_their_paths(pack, name):
    """As published tables do that lie beside the folders of the images, or far from them."""
    rows = [f"{name.format(letter)},{label}" for letter, label in zip("abd", ("sick", "well", "well"), strict=True)]
    source = pack("chest.zip", IMAGES | {"tables/labels.csv": "\n".join(["path,label", *rows]).encode()})
    assert index(source, table="labels.csv")["image_id"].tolist() == ["a.png", "b.png"]
    assert source.losses.names("missing") == [name.format("d")]


def test_a_name_that_two_images_have_is_refused_until_one_is_left_out(pack):
    members = {f"{part}/{letter}.png": b"" for part in ("train", "test") for letter in "ab"}
    source = pack("chest.zip", members | {"tables/labels.csv": b"path,label\na,sick\nb,well\n"})
    with pytest.raises(UserError, match=r"lists 'a', which may be each of 'test/a\.png' and 'train/a\.png': leave the"):
        index(source, table="labels.csv")
    found = index(source, table="labels.csv", include=["train"])
    assert found["source_file"].tolist() == ["chest.zip/train/a.png", "chest.zip/train/b.png"]


def test_the_end_of_a_path_does_not_count_where_other_paths_are_whole(pack):
    """An image of that name in another folder may be another picture."""
    text = "path,label\nimages/a.png,sick\nimages/b.png,well\nold.png,well\n"
    source = pack("chest.zip", table(text) | {"x/older/old.png": b""})
    assert index(source, table="labels.csv")["image_id"].tolist() == ["a.png", "b.png"]
    assert source.losses.names("missing") == ["old.png"]
