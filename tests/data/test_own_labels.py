"""Several labels an image in a user's own table, ordinal and binary tasks, and what of them is refused."""

import pytest
from declared import declared, index, lost

from medpeft.base.errors import UserError
from medpeft.data import registry
from medpeft.data.labels import UNKNOWN, Labels

IMAGES = {f"x/images/{name}.png": b"" for name in "abcde"}
CLASSES = ["Mass", "Effusion", "Lung Lesion"]
SEVERAL = {"classes": CLASSES, "task": "multi-label", "table": "labels.csv"}


def listed(header: str, *rows: str) -> dict[str, bytes]:
    """Return an archive whose table has these lines."""
    return IMAGES | {"x/labels.csv": "\n".join([header, *rows]).encode()}


@pytest.mark.parametrize("separator", ["|", ";", ","])
def test_one_column_names_the_labels_of_an_image(pack, separator):
    cells = ("Effusion+Mass", "Lung Lesion", "No Finding", " Mass + Lung Lesion+")
    rows = [f'images/{name}.png,"{cell.replace("+", separator)}"' for name, cell in zip("abcd", cells, strict=True)]
    source = pack("chest.zip", listed("path,label", *rows))
    table = index(source, **SEVERAL, separator=separator, none="No Finding")
    assert table["label"].tolist() == ["Mass|Effusion", "Lung Lesion", "", "Mass|Lung Lesion"]  # in the classes' order
    assert table[UNKNOWN].tolist() == [""] * 4
    assert table["caption"].tolist()[::2] == ["chest, Mass, Effusion.", "chest, none of the classes."]
    assert lost(source) == {"unlisted": 1}


def test_a_label_that_is_none_of_the_classes_leaves_the_row_out_and_stops_the_study(pack):
    source = pack(
        "chest.zip", listed("path,label", "images/a.png,Mass|Hernia", "images/b.png,Mass|Effusion|Lung Lesion")
    )
    assert index(source, **SEVERAL, separator="|")["image_id"].tolist() == ["b.png"]
    assert source.losses.names("unlabelled") == ["images/a.png (Mass|Hernia)"]
    with pytest.raises(UserError, match="rows whose label is none of the classes: 1"):
        source.losses.refuse("chest", "chest", {})


def test_a_blank_in_one_column_is_no_label_only_where_the_study_says_so(pack):
    source = pack("chest.zip", listed("path,label", "images/a.png,", "images/b.png,Mass|Effusion|Lung Lesion"))
    assert index(source, **SEVERAL, separator="|")["image_id"].tolist() == ["b.png"]
    assert source.losses.names("unlabelled") == ["images/a.png ()"]
    found = index(
        pack("other.zip", listed("path,label", "images/a.png,", "images/b.png,Mass|Effusion|Lung Lesion")),
        **SEVERAL,
        separator="|",
        missing="negative",
    )
    assert found["label"].tolist() == ["", "Mass|Effusion|Lung Lesion"]


CHEXPERT = listed(
    "Path,Patient,No Finding,Mass,Effusion,Lung Lesion",
    "images/a.png,p1,,1.0,-1.0,",
    "images/b.png,p1,1.0,,,",
    "images/c.png,p2,,0,1,1",
    "images/d.png,p3,0,-1,,-1",
    "images/e.png,p4,,,1.0,0.0",
)
COLUMNS = {"path": "Path", "group": "Patient"}
MASK = ("ignore", "ignore", None)


@pytest.mark.parametrize(
    ("uncertain", "missing", "none", "label", "unknown"),
    [
        (*MASK, ["Mass", "Effusion|Lung Lesion", "Effusion"], ["Effusion|Lung Lesion", "", "Mass"]),
        ("positive", "ignore", None, ["Mass|Effusion", "Effusion|Lung Lesion", "Mass|Lung Lesion", "Effusion"],
         ["Lung Lesion", "", "Effusion", "Mass"]),
        ("negative", "ignore", None, ["Mass", "Effusion|Lung Lesion", "", "Effusion"],
         ["Lung Lesion", "", "Effusion", "Mass"]),
        ("ignore", "negative", None, ["Mass", "", "Effusion|Lung Lesion", "", "Effusion"],
         ["Effusion", "", "", "Mass|Lung Lesion", ""]),
        ("ignore", "ignore", "No Finding", ["Mass", "", "Effusion|Lung Lesion", "Effusion"],
         ["Effusion|Lung Lesion", "", "", "Mass"]),
    ],
)  # fmt: skip
def test_one_column_a_class_tells_what_is_uncertain_and_missing(pack, uncertain, missing, none, label, unknown):
    """1 is positive, 0 negative, -1 uncertain, a blank missing; what nothing is known of is left out."""
    source = pack("chest.zip", CHEXPERT)
    keys = {"uncertain": uncertain, "missing": missing, "none": none, "columns": COLUMNS}
    table = index(source, **SEVERAL, **keys)
    assert table["label"].tolist() == label
    assert table[UNKNOWN].tolist() == unknown
    counts = lost(source)
    assert counts["uncertain"] == 2  # a and d
    assert counts["blank"] == (3 if none else 4)  # not b, where a finding was looked for and there is none
    assert counts.get("undecided", 0) == 5 - len(label)
    source.losses.refuse("chest", "chest", {})  # none of these stops a study


def test_what_uncertain_and_missing_labels_count_as_stands_on_the_card():
    dataset = registry.load("chest", declared(**SEVERAL, uncertain="positive"))
    assert "Labels that are uncertain count as positive." in dataset.caveats
    assert "Labels that are missing are left out of loss and scores." in dataset.caveats
    assert dataset.told_labels() == Labels("multi-label", tuple(CLASSES))


@pytest.mark.parametrize(
    ("table", "keys", "sentence"),
    [
        (
            listed("path,Mass,Effusion,Lung Lesion", "images/a.png,1,0,0", "images/b.png,2,0,1"),
            {},
            r"has '2' in the column 'Mass' for 'images/b\.png', where only 1 \(has it\), 0 .* may stand: correct it",
        ),
        (
            listed("path,Mass,Effusion,Lung Lesion", "images/a.png,yes,0,0"),
            {},
            r"has 'yes' in the column 'Mass' for 'images/a\.png'",
        ),
        (
            listed("path,Mass,Lung Lesion", "images/a.png,1,0"),
            {},
            r"lacks a column 'Effusion' for this class, having path, Mass, Lung Lesion: correct it, or say by",
        ),
        (
            listed("path,Mass,effusion,Lung Lesion", "images/a.png,1,0,1"),
            {},
            "has 'effusion' where the study says 'Effusion'",
        ),
        (
            listed("path,label", "images/a.png,Mass|Healthy"),
            {"separator": "|", "none": "Healthy"},
            r"gives 'images/a\.png' the labels 'Mass\|Healthy', which are some and none at once: correct it",
        ),
        (
            listed("path,label", "images/a.png,mass|Effusion|Lung Lesion"),
            {"separator": "|"},
            "has 'mass' where the study says 'Mass'",
        ),
        (
            listed("path,label", "images/a.png,Mass|Effusion"),
            {"separator": "|"},
            "has no image in a row with the label 'Lung Lesion'",
        ),
    ],
)
def test_what_a_table_cannot_say_of_several_labels_is_named(pack, table, keys, sentence):
    with pytest.raises(UserError, match=sentence):
        index(pack("chest.zip", table), **SEVERAL, **keys)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"task": "ordinal", "positive": "well"}, "`positive` belongs to the task binary, and this one is ordinal"),
        ({"task": "binary"}, "a binary task needs `positive`, the class that is looked for: sick or well"),
        ({"task": "binary", "positive": "ill"}, "`positive` is 'ill', which is none of the classes sick, well"),
        ({"task": "binary", "positive": "a", "classes": ["a", "b", "c"]}, "a binary task has two classes, not 3"),
        ({"task": "multi-label"}, "several labels an image come from a table: name it under `table`"),
        ({"separator": "|"}, "`separator` belongs to the task multi-label, and this one is multi-class: take it out"),
        ({"missing": "negative"}, "`missing` belongs to the task multi-label"),
        (SEVERAL | {"none": "Mass"}, "`none` is 'Mass', which is one of the classes"),
        (SEVERAL | {"separator": ";", "classes": ["a;b", "c"]}, "the name 'a;b' has the separator ';' in it: rename"),
        (SEVERAL | {"classes": ["a|b", "c"]}, r"the class 'a\|b' has a \| in its name"),
        (SEVERAL | {"columns": {"label": "Findings"}}, "`columns.label` names a column for all labels: say by `sep"),
        (SEVERAL | {"separator": "|", "uncertain": "positive"}, "`uncertain` belongs to a table with a column a class"),
        ({"task": "regression"}, "'regression' is not one of"),
    ],
)
def test_keys_that_do_not_fit_the_task_are_refused_before_anything_runs(keys, sentence):
    with pytest.raises(UserError, match=f"the study's configuration is wrong at datasets.chest.*: {sentence}"):
        declared(**keys)


def test_an_ordinal_task_has_the_order_of_its_classes_and_a_multi_class_one_that_of_their_names():
    order = ["none", "mild", "severe"]
    assert registry.load("chest", declared(task="ordinal", classes=order)).told_labels().classes == tuple(order)
    assert registry.load("chest", declared(classes=order)).told_labels().classes == ("mild", "none", "severe")
    binary = registry.load("chest", declared(task="binary", positive="sick")).told_labels()
    assert binary == Labels("binary", ("sick", "well"), "sick")
