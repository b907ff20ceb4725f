"""MedMNIST+ is read as Zenodo publishes it, with its own split."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medpeft.base.errors import UserError
from medpeft.base.files import read_table
from medpeft.base.imports import dependencies
from medpeft.data import registry
from medpeft.data.archives import Source
from medpeft.data.captions import captions
from medpeft.data.datasets._medmnist import SPLIT_NAMES
from medpeft.data.prepare import prepare
from medpeft.data.registry import load
from medpeft.data.split import split

NAMES = [name for name in registry.names() if name.endswith("mnist")]
NO_PAIRS = pd.DataFrame({"first": [], "second": [], "same_label": []}).astype({"same_label": bool})
SIZES = {"train": 12, "val": 3, "test": 4}


def archive(folder, labels: int, colour: bool = False, **changed) -> Source:
    """Return an archive of grey levels 0, 1, 2, ... in the published layout."""
    arrays = {}
    for name, size in SIZES.items():
        shape = (size, 8, 8, 3) if colour else (size, 8, 8)
        arrays[f"{name}_images"] = np.broadcast_to(np.arange(size).reshape(-1, *[1] * (len(shape) - 1)), shape)
        arrays[f"{name}_labels"] = (np.arange(size) % labels)[:, None]
    arrays = {name: array.astype(np.uint8) for name, array in (arrays | changed).items()}
    np.savez_compressed(folder / "breastmnist_224.npz", **arrays)
    return Source(folder / "breastmnist_224.npz")


def test_there_are_all_of_two_dimensions():
    assert len(NAMES) == 12


@pytest.mark.parametrize("name", NAMES)
def test_the_archive_and_its_checksum_are_named(name):
    (archive,) = load(name).archives
    assert archive.name == f"{name}_224.npz"
    assert re.fullmatch("md5:[0-9a-f]{32}", archive.checksum)
    assert f"/{name}_224.npz" in archive.urls[0]
    code = dependencies(registry.file_of(name, own=False))
    assert {path.name for path in code if path.parent.name == "datasets"} == {f"{name}.py", "_medmnist.py"}


@pytest.mark.parametrize("colour", [False, True])
def test_images_and_their_published_split_come_through(tmp_path, colour):
    source = archive(tmp_path, labels=2, colour=colour)
    dataset = replace(load("breastmnist"), counts={"malignant": 10, "normal or benign": 9}, sizes=(12, 3, 4))
    prepare("breastmnist", dataset, [source.path], 8, tmp_path / "images.npy", tmp_path / "manifest.csv")
    manifest = read_table(tmp_path / "manifest.csv")
    number = manifest["image_id"].str[-6:].astype(int)
    assert np.load(tmp_path / "images.npy")[:, 3, 3, 1].tolist() == number.tolist()
    assert manifest["label"].tolist() == ["normal or benign" if i % 2 else "malignant" for i in number]
    assert manifest["image_id"].iloc[0] == "test_000000"
    assert captions(dataset, [source.path])["caption"].iloc[0] == "BreastMNIST breast ultrasound, malignant."
    given = manifest["image_id"].str.partition("_")[0].map(SPLIT_NAMES)
    assert split(manifest, NO_PAIRS, "paper")["split"].tolist() == given.tolist()
    assert split(manifest, NO_PAIRS, "grouped")["split"].tolist() != given.tolist()


def test_other_sizes_than_published_are_refused(tmp_path):
    source = archive(tmp_path, labels=2)
    dataset = replace(load("breastmnist"), counts={"malignant": 10, "normal or benign": 9})
    with pytest.raises(UserError, match=r"has \(12, 3, 4\) images for train, .* where \(546, 78, 156\) are published"):
        prepare("breastmnist", dataset, [source.path], 8, tmp_path / "images.npy", tmp_path / "manifest.csv")


@pytest.mark.parametrize("labels", [np.zeros((11, 1)), np.full((12, 1), 2)])
def test_labels_that_do_not_fit_the_images_are_named(tmp_path, labels):
    with pytest.raises(UserError, match=r"has 12 images and .* labels for train, or labels other than 0 to 1"):
        load("breastmnist").index(archive(tmp_path, labels=2, train_labels=labels))


def test_an_image_of_chestmnist_has_any_number_of_labels(tmp_path):
    labels = {f"{name}_labels": np.zeros((size, 14)) for name, size in SIZES.items()}
    labels["test_labels"][1, [0, 13]] = 1
    labels["test_labels"][2, 5] = 1
    dataset = load("chestmnist")
    table = dataset.index(archive(tmp_path, labels=2, **labels))
    assert table["label"].tolist()[:4] == ["", "atelectasis|hernia", "nodule", ""]
    assert table["caption"].tolist()[:2] == [
        "ChestMNIST chest radiographs, none of the classes.",
        "ChestMNIST chest radiographs, atelectasis, hernia.",
    ]
    assert dataset.told_labels().task == "multi-label"
    with pytest.raises(UserError, match="or labels other than 0 to 1"):
        dataset.index(archive(tmp_path, labels=2, **labels | {"val_labels": np.full((3, 14), 2)}))
    with pytest.raises(UserError, match="has 12 images and 12 labels for train"):
        dataset.index(archive(tmp_path, labels=2, **labels | {"train_labels": np.zeros((12, 1))}))
