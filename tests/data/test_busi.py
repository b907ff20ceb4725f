"""BUSI is read as it is published, wherever its folders lie, without its masks."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from medpeft.base.files import read_table
from medpeft.data import registry
from medpeft.data.archives import Source
from medpeft.data.datasets import busi
from medpeft.data.duplicates import find
from medpeft.data.prepare import prepare
from medpeft.data.split import split

REAL = Path(os.environ.get("MEDPEFT_REAL_DATA", Path(__file__).parents[3] / "shared" / "real")) / "busi.zip"
PUBLISHED = [
    "benign/benign (1).png",
    "benign/benign (1)_mask.png",
    "benign/benign (1)_mask_1.png",
    "benign/benign (10).png",
    "benign/benign (10)_mask.png",
    "malignant/malignant (2).png",
    "malignant/malignant (2)_mask.png",
    "normal/normal (3).png",
    "normal/normal (3)_mask.png",
]


def table_of(folder: Path, names: list[str]):
    path = folder / "busi.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return busi.index(Source(path))


@pytest.mark.parametrize("top", ["Dataset_BUSI_with_GT/", "", "archive/Dataset BUSI/"])
def test_images_are_found_and_masks_left_out_under_any_top_folder(tmp_path, top):
    table = table_of(tmp_path, [top + name for name in PUBLISHED])
    assert table["image_id"].tolist() == ["benign (1)", "benign (10)", "malignant (2)", "normal (3)"]
    assert table["label"].tolist() == ["benign", "benign", "malignant", "normal"]
    assert table["group_id"].equals(table["image_id"])
    assert table["source_file"][0] == f"busi.zip/{top}benign/benign (1).png"
    assert table["caption"][2] == "Breast ultrasound, malignant."


def test_files_of_macos_are_ignored(tmp_path):
    junk = [
        "__MACOSX/benign/benign (1).png",
        "__MACOSX/benign/._benign (1).png",
        "benign/.DS_Store",
        "benign/._benign (2).png",
    ]
    assert table_of(tmp_path, PUBLISHED + junk)["image_id"].tolist()[:2] == ["benign (1)", "benign (10)"]
    assert len(table_of(tmp_path, PUBLISHED + junk)) == 4


def test_an_archive_without_images_gives_an_empty_table(tmp_path):
    table = table_of(tmp_path, ["readme.txt"])
    assert len(table) == 0
    assert "label" in table


def test_the_published_sizes_add_up():
    assert sum(busi.DATASET.sizes) == sum(busi.DATASET.counts.values()) == 780


@pytest.mark.slow
@pytest.mark.skipif(
    not REAL.is_file(), reason=f"the real archive is not at {REAL} (set MEDPEFT_REAL_DATA to its folder)"
)
def test_the_real_archive_becomes_a_split_without_leaks(tmp_path):
    """780 images; the duplicates that were looked at; none across the sides of the default split."""
    dataset = registry.load("busi")
    prepare("busi", dataset, [REAL], 73, tmp_path / "images.npy", tmp_path / "manifest.csv")
    images, manifest = np.load(tmp_path / "images.npy", mmap_mode="r"), read_table(tmp_path / "manifest.csv")
    assert images.shape == (780, 73, 73, 3)
    pairs = find(images, manifest)
    assert 210 <= len(pairs) <= 216
    names = {*zip(pairs["first"], pairs["second"], strict=True)}
    assert {("benign (141)", "benign (64)"), ("malignant (39)", "malignant (42)")} <= names  # cropped, moved
    assert ("malignant (27)", "malignant (28)") not in names  # two views of one patient
    disagreeing = pairs[~pairs["same_label"]]
    assert len(disagreeing) == 11
    assert {
        ("benign (433)", "malignant (145)"),
        ("benign (269)", "normal (1)"),
        ("benign (333)", "malignant (77)"),
    } <= {*zip(disagreeing["first"], disagreeing["second"], strict=True)}
    table = split(manifest, pairs, sizes=dataset.sizes)
    assert table["split"].value_counts().to_dict() == {"train": 584, "test": 119, "validation": 77}
    split_of = table.set_index("image_id")["split"]
    assert (split_of[pairs["first"]].to_numpy() == split_of[pairs["second"]].to_numpy()).all()
