"""Real archives with ordered grades, and real radiographs with several labels, through the stages of the data."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from declared import declared, index, lost

from medpeft.base.files import read_json, read_table
from medpeft.data import registry
from medpeft.data.archives import Source
from medpeft.data.labels import class_counts, marks
from medpeft.data.prepare import prepare
from medpeft.data.split import SPLITS, split

pytestmark = pytest.mark.slow
GRADES = list("01234")
NO_PAIRS = pd.DataFrame({"first": [], "second": [], "same_label": []}).astype({"same_label": bool})


@pytest.fixture
def archive(real_data):
    """Return a function that gives the path of a real archive, or skips the test."""

    def find(name: str) -> Path:
        if not (real_data / name).is_file():
            pytest.skip(f"no {name} in {real_data}")
        return real_data / name

    return find


def test_grades_of_knees_come_from_the_folders_of_the_classes(archive, tmp_path):
    keys = {"classes": GRADES, "task": "ordinal", "group": r"^(\d{7})"}
    dataset = registry.load("chest", declared(**keys))
    prepare("chest", dataset, [archive("knee_oa.zip")], 16, tmp_path / "images.npy", tmp_path / "manifest.csv")
    manifest = read_table(tmp_path / "manifest.csv")
    assert class_counts(manifest) == {"0": 190, "1": 95, "2": 131, "3": 74, "4": 16}
    assert manifest["group_id"].nunique() == 253
    assert read_json(tmp_path / "labels.json") == {"task": "ordinal", "classes": GRADES, "positive": None}
    found = split(manifest, NO_PAIRS).merge(manifest, on="image_id")
    assert (found.groupby("group_id")["split"].nunique() == 1).all()


def test_grades_of_retinopathy_come_from_the_table_as_it_is_published(archive):
    """It names images without folder and ending, and the names come again in the testing set."""
    source = Source(archive("idrid.zip"))
    found = index(
        source,
        classes=GRADES,
        task="ordinal",
        include=["a. Training Set"],
        table="a. IDRiD_Disease Grading_Training Labels.csv",
        columns={"path": "Image name", "label": "Retinopathy grade"},
    )
    assert class_counts(found) == {"0": 134, "1": 20, "2": 136, "3": 74, "4": 49}  # as Porwal et al. 2018 give them
    assert lost(source) == {"excluded": 103, "others": 3}


def test_grades_of_medmnist_are_ordered(archive):
    dataset = registry.load("retinamnist")
    found = dataset.index(Source(archive("retinamnist.npz")))
    assert class_counts(found) == dataset.counts
    assert dataset.told_labels().entry() == {
        "task": "ordinal",
        "classes": [f"grade {grade}" for grade in GRADES],
        "positive": None,
    }


def test_radiographs_with_several_labels_are_prepared_and_split(archive, tmp_path):
    """The images are real, and so is pneumonia; the second label and what is not known are made up here."""
    random = np.random.default_rng(0)
    rows = ["Image,Pneumonia,Marked"]
    with zipfile.ZipFile(archive("nih_cxr_pneumonia.zip")) as real, zipfile.ZipFile(tmp_path / "chest.zip", "w") as own:
        for name in [name for name in real.namelist() if name.endswith(".jpg")][::4]:
            own.writestr(name, real.read(name))
            rows.append(f"{Path(name).name},{int('/pneumonia/' in name)},{random.choice(['1', '0', '-1', ''])}")
        own.writestr("tables/labels.csv", "\n".join(rows))
    keys = {"classes": ["Pneumonia", "Marked"], "task": "multi-label", "table": "labels.csv", "group": r"(\d+)_\d+\."}
    dataset = registry.load("chest", declared(**keys, columns={"path": "Image"}))
    losses = prepare("chest", dataset, [tmp_path / "chest.zip"], 32, tmp_path / "images.npy", tmp_path / "manifest.csv")
    manifest = read_table(tmp_path / "manifest.csv")
    assert class_counts(manifest)["Pneumonia"] == 125
    unknown = class_counts(manifest, "unknown")["Marked"]
    assert unknown == len(losses.names("uncertain")) + len(losses.names("blank"))
    found = split(manifest, NO_PAIRS).merge(manifest, on="image_id")
    assert (found.groupby("group_id")["split"].nunique() == 1).all()
    positive, _ = marks(found, keys["classes"])
    for name, share in zip(SPLITS, (0.7, 0.1, 0.2), strict=True):
        here = (found["split"] == name).to_numpy()
        assert positive[here].sum(0) == pytest.approx(positive.sum(0) * share, abs=2)
