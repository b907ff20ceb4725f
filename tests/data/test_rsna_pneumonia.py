"""The RSNA challenge is read as Kaggle publishes it."""

import dataclasses
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from test_dicom import EIGHT, dicom

from medpeft.base.errors import UserError
from medpeft.base.files import read_table
from medpeft.data.archives import Source
from medpeft.data.datasets import rsna_pneumonia
from medpeft.data.prepare import prepare
from medpeft.data.split import split

DATASET = rsna_pneumonia.DATASET
NO_PAIRS = pd.DataFrame({"first": [], "second": [], "same_label": []}).astype({"same_label": bool})
A, B, C = (f"0004cfab-14fd-4e49-80ba-63a80b6bddd{digit}" for digit in "678")
LABELS = f"patientId,x,y,width,height,Target\n{B},264.0,152.0,213.0,379.0,1\n{B},562.0,152.0,256.0,453.0,1\n{A},,,,,0\n"
CLASSES = f"patientId,class\n{B},Lung Opacity\n{B},Lung Opacity\n{A},No Lung Opacity / Not Normal\n"
MAPPING = [
    {"subset_img_id": A, "img_id": "00013310_003.png", "subset_group": "train"},
    {"subset_img_id": B, "img_id": "00013310_005.png", "subset_group": "train"},
]
TABLES = {"stage_2_train_labels.csv": LABELS.encode(), "stage_2_detailed_class_info.csv": CLASSES.encode()}
IMAGES = {
    f"stage_2_train_images/{A}.dcm": dicom(EIGHT),
    f"stage_2_train_images/{B}.dcm": dicom(EIGHT, PhotometricInterpretation="MONOCHROME1"),
    f"stage_2_test_images/{C}.dcm": dicom(EIGHT),
}
OTHERS = {"GCP Credits Request Link - RSNA.txt": b"", "stage_2_sample_submission.csv": b"patientId,PredictionString\n"}
KAGGLE = TABLES | IMAGES | OTHERS


@pytest.mark.parametrize("top", ["", "rsna-pneumonia-detection-challenge/"])
def test_rows_are_images_and_boxes_are_not(pack, top):
    source = pack("rsna_pneumonia.zip", {top + name: content for name, content in KAGGLE.items()})
    assert rsna_pneumonia.index(source).to_dict("list") == {
        "image_id": [A, B],
        "group_id": [A, B],
        "label": ["no pneumonia", "pneumonia"],
        "caption": [
            "Frontal chest radiograph, no lung opacity / not normal.",
            "Frontal chest radiograph, lung opacity.",
        ],
        "source_file": [f"rsna_pneumonia.zip/{top}stage_2_train_images/{i}.dcm" for i in (A, B)],
    }


def test_with_the_list_of_nih_images_patients_are_groups(pack):
    members = KAGGLE | {rsna_pneumonia.MAPPING: json.dumps(MAPPING).encode()}
    table = rsna_pneumonia.index(pack("rsna_pneumonia.zip", members))
    assert table["group_id"].tolist() == ["NIH 00013310", "NIH 00013310"]


def test_an_image_that_the_list_lacks_is_its_own_group(pack):
    members = KAGGLE | {rsna_pneumonia.MAPPING: json.dumps(MAPPING[1:]).encode()}
    table = rsna_pneumonia.index(pack("rsna_pneumonia.zip", members))
    assert table["group_id"].tolist() == [A, "NIH 00013310"]


def test_images_that_the_list_lacks_are_counted(pack):
    source = pack("rsna_pneumonia.zip", KAGGLE)
    rsna_pneumonia.index(source)
    assert source.losses.names("ungrouped") == sorted([A, B])
    source = pack("other.zip", KAGGLE | {rsna_pneumonia.MAPPING: json.dumps(MAPPING[1:]).encode()})
    rsna_pneumonia.index(source)
    assert source.losses.names("ungrouped") == [A]


def test_a_class_table_that_ends_early_leaves_the_label_as_caption(pack):
    members = KAGGLE | {"stage_2_detailed_class_info.csv": f"patientId,class\n{B},Lung Opacity\n".encode()}
    table = rsna_pneumonia.index(pack("rsna_pneumonia.zip", members))
    assert table["caption"][0] == "Frontal chest radiograph, no pneumonia."


def test_a_missing_image_is_counted(pack):
    members = {name: content for name, content in KAGGLE.items() if name != f"stage_2_train_images/{A}.dcm"}
    source = pack("rsna_pneumonia.zip", members)
    assert rsna_pneumonia.index(source)["image_id"].tolist() == [B]
    assert source.losses.names("missing") == [A]


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_table_is_named(pack, table):
    members = {name: content for name, content in KAGGLE.items() if name != table}
    with pytest.raises(UserError, match=f"there is no {table} in .*rsna_pneumonia.zip"):
        rsna_pneumonia.index(pack("rsna_pneumonia.zip", members))


def test_dicom_files_are_prepared_and_their_tags_stay_behind(pack, tmp_path):
    source = pack("rsna_pneumonia.zip", KAGGLE)
    dataset = dataclasses.replace(DATASET, counts={"no pneumonia": 1, "pneumonia": 1})
    out = tmp_path / "out"
    prepare("rsna_pneumonia", dataset, [source.path], len(EIGHT), out / "images.npy", out / "manifest.csv")
    images = np.load(out / "images.npy")
    assert np.array_equal(images[:, :, :, 0], [EIGHT, 255 - EIGHT])
    assert read_table(out / "manifest.csv")["label"].tolist() == ["no pneumonia", "pneumonia"]
    assert not any(b"Doe" in (out / name).read_bytes() for name in ("images.npy", "manifest.csv"))


def test_half_a_download_is_refused(pack, tmp_path):
    source = pack("rsna_pneumonia.zip", KAGGLE)
    with pytest.raises(UserError, match="has 1 images of class 'no pneumonia' where 20672 are published"):
        prepare("rsna_pneumonia", DATASET, [source.path], 32, tmp_path / "images.npy", tmp_path / "manifest.csv")


@pytest.fixture(scope="module")
def real(real_data, tmp_path_factory) -> pd.DataFrame:
    """The index of the real tables, the images being empty files."""
    tables = [real_data / "metadata" / name for name in TABLES]
    if not all(path.is_file() for path in tables):
        pytest.skip(f"the real tables {', '.join(TABLES)} are not in {real_data / 'metadata'}")
    images = tmp_path_factory.mktemp("rsna") / "rsna_pneumonia.zip"
    with zipfile.ZipFile(images, "w") as archive:
        for image_id in pd.read_csv(tables[0])["patientId"].unique():
            archive.writestr(f"stage_2_train_images/{image_id}.dcm", b"")
    return rsna_pneumonia.index(Source(images), *map(Source, tables))


def test_the_real_table_is_the_published_one(real):
    assert len(real) == real["image_id"].nunique() == 26_684
    assert real["label"].value_counts().to_dict() == DATASET.counts
    assert (real["label"] == "pneumonia").sum() == 6_012


def test_the_classes_of_the_real_tables_agree(real):
    opaque = real["caption"].str.contains(", lung opacity|, pneumonia")
    assert opaque.equals(real["label"] == "pneumonia")


def test_the_split_of_the_real_table_has_the_published_sizes(real):
    splits = split(real, NO_PAIRS, "paper", sizes=DATASET.sizes)["split"]
    assert splits.value_counts().to_dict() == {"train": 20_412, "validation": 2_269, "test": 4_003}
