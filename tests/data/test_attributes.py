"""Attributes of images: read apart from the images, as text, and never what tells of a person."""

import zipfile
from io import BytesIO

import pandas as pd
import pytest
from declared import declared
from PIL import Image

from medpeft.base.errors import UserError
from medpeft.data import registry
from medpeft.data.attributes import UNKNOWN, attributes, read_attributes, unknowns
from medpeft.data.datasets import ham10000
from medpeft.data.prepare import prepare
from medpeft.data.user_dataset import decisive, subfolder

TABLE = {"table": "labels.csv", "attributes": ["sex", "age"], "columns": {"sex": "Geschlecht"}}
ROWS = ["path,label,Geschlecht,age", "a.png,sick,f,071", "b.png,well, ,34", "c.png,well,m,", "d.png,sick,m,50"]


def archive(folder, rows=ROWS):
    stream = BytesIO()
    Image.new("RGB", (40, 40)).save(stream, "PNG")
    with zipfile.ZipFile(folder / "chest.zip", "w") as packed:
        packed.writestr("labels.csv", "\n".join(rows))
        for row in rows[1:]:
            packed.writestr(row.partition(",")[0], stream.getvalue())
    return folder / "chest.zip"


def read(path, **keys):
    return attributes(registry.load("chest", declared(**TABLE | keys)), [path])


def test_values_stay_text_and_blanks_are_unknown(tmp_path):
    table = read(archive(tmp_path))
    assert table.to_dict("list") == {
        "image_id": ["a.png", "b.png", "c.png", "d.png"],
        "sex": ["f", UNKNOWN, "m", "m"],
        "age": ["071", "34", UNKNOWN, "50"],
    }
    assert list(unknowns(table)) == ["sex is unknown of 1 of 4 images", "age is unknown of 1 of 4 images"]
    table.to_csv(tmp_path / "attributes.csv", index=False)
    pd.testing.assert_frame_equal(read_attributes(tmp_path / "attributes.csv"), table)


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path):
    with pytest.raises(UserError, match=r"lacks the column 'Sex', having path, label, Geschlecht, age.*columns: \{sex"):
        read(archive(tmp_path), columns={"sex": "Sex"})


def test_an_attribute_changes_nothing_of_the_images(tmp_path):
    with_some, without = declared(**TABLE), declared(table="labels.csv")
    assert decisive(with_some) == decisive(without)
    assert subfolder(with_some) == subfolder(without)
    written = []
    for number, keys in enumerate((with_some, without)):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = folder / "images.npy", folder / "manifest.csv"
        prepare("chest", registry.load("chest", keys), [archive(tmp_path)], 32, *files)
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]
    assert b"071" not in written[0][1]


@pytest.mark.parametrize(
    "values", [["2021-03-04", "04.03.2021"], ["20210304", "19991231"], ["3/4/21", "", "", "2020-01"], ["4 May 2020"]]
)
def test_dates_are_refused(tmp_path, values):
    rows = [ROWS[0], *(f"{number}.png,{'sick' if number else 'well'},{v},1" for number, v in enumerate([*values, ""]))]
    with pytest.raises(UserError, match=r"'sex' in .* holds dates, such as .*: give the age or the year"):
        read(archive(tmp_path, rows))


@pytest.mark.parametrize(
    ("value", "refused"),
    [(lambda n: f"MRN{n}", True), (lambda n: str(100000 + n), True), (lambda n: f"{20 + n / 7:.3f}", False)],
)
def test_what_identifies_images_is_refused_and_measurements_are_not(tmp_path, value, refused):
    rows = [ROWS[0], *(f"{n}.png,{'sick' if n % 2 else 'well'},{value(n)},1" for n in range(30))]
    path = archive(tmp_path, rows)
    if not refused:
        assert read(path)["sex"].nunique() == 30
        return
    with pytest.raises(UserError, match="has 30 values for 30 images, as identifiers do"):
        read(path)


def test_years_and_ages_are_no_dates(tmp_path):
    rows = [ROWS[0], *(f"{n}.png,{'sick' if n % 2 else 'well'},{1950 + n % 20},{n % 9}" for n in range(60))]
    assert read(archive(tmp_path, rows))["sex"].nunique() == 20


def test_what_is_built_in_is_known_before_anything_is_fetched():
    told = {name: registry.load(name).attributes for name in registry.names()}
    assert told["ham10000"] == ("sex", "age", "localization", "dx_type")
    assert {name for name in told if told[name]} == {"ham10000", "fitzpatrick17k", "smdg", "mimic_cxr"}


def test_the_attributes_of_ham10000(real_data):
    """Tschandl et al. 2018 print no table of them; Kaggle's page counts 5,406 male, 4,552 female, 57 unknown."""
    names = [archive.name for archive in ham10000.DATASET.archives]
    table = attributes(ham10000.DATASET, [real_data / name for name in names])
    assert table["sex"].value_counts().to_dict() == {"male": 5406, "female": 4552, "unknown": 57}
    assert (table["age"] == UNKNOWN).sum() == 57
    assert pd.to_numeric(table["age"].replace(UNKNOWN, None)).max() == 85


def test_the_probes_of_a_table_of_ones_own(real_data):
    own = {
        "classes": ["covid", "pneumonia", "regular"],
        "table": "frames.csv",
        "columns": {"label": "class", "group": "patient_id"},
        "attributes": ["probe"],
    }
    dataset = registry.load("chest", declared(**own))
    table = attributes(dataset, [real_data / "pocus_lus.zip"])
    assert table["probe"].value_counts().to_dict() == {"convex": 597}  # the linear ones are left out of this copy
