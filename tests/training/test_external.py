"""Runs are tested on another dataset: on images that they have not seen, under the names that they know."""

import numpy as np
import pandas as pd
import pytest
from pictures import SIDE
from scipy.ndimage import gaussian_filter

from medpeft.base.errors import UserError
from medpeft.data.duplicates import PAIR_COLUMNS
from medpeft.data.images import load_rows
from medpeft.training.classification import Classifier
from medpeft.training.external_predictions import external_predictions
from medpeft.training.external_set import Stored, external_set
from medpeft.training.finetune import finetune
from medpeft.training.outcome import RunFiles

NO_PAIRS = pd.DataFrame(columns=PAIR_COLUMNS)
CLASSES = ["benign", "malignant"]


def stored(count: int, seed: int, labels: list[str], groups: list[str] | None = None) -> Stored:
    """Return `count` images of 128 pixels, each of a texture of its own."""
    noise = np.random.default_rng(seed).normal(size=(count, 128, 128))
    own = gaussian_filter(noise, (0, 2, 3))
    grey = (120 + 40 * own / own.std()).clip(0, 255).astype(np.uint8)
    ids = [f"{number:03d}.png" for number in range(count)]
    digests = [f"{seed} {number}" for number in range(count)]
    label = [labels[number % len(labels)] for number in range(count)]
    table = {"image_id": ids, "group_id": groups or ids, "label": label, "sha256": digests}
    return Stored(np.repeat(grey[..., None], 3, axis=3), pd.DataFrame(table))


@pytest.fixture
def trained() -> tuple[Stored, pd.DataFrame]:
    """Twelve images: the first eight for training, two for validation, two for the test."""
    data = stored(12, 0, CLASSES)
    splits = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    return data, pd.DataFrame({"image_id": data.manifest["image_id"], "split": splits, "cluster": range(12)})


def test_all_images_are_external_under_the_names_of_the_trained_classes(trained):
    data, split = trained
    other = stored(6, 1, ["harmless", "tumour"], groups=["p1", "p1", "p2", "p3", "p4", "p5"])
    found = external_set(data, split, other, NO_PAIRS, {"harmless": "benign", "tumour": "malignant"})
    assert found.overlap.empty
    assert found.images["label"].tolist() == CLASSES * 3
    assert found.images["row"].tolist() == list(range(6))
    assert found.images["cluster"].nunique() == 5
    assert found.images["image_id"].tolist() == other.manifest["image_id"].tolist()


def test_of_a_dataset_that_is_trained_on_too_the_test_images_are_taken(trained):
    data, split = trained
    other = stored(6, 1, CLASSES)
    parts = ["train", "test", "test", "validation", "train", "train"]
    own = pd.DataFrame({"image_id": other.manifest["image_id"], "split": parts, "cluster": [7, 8, 9, 7, 7, 7]})
    found = external_set(data, split, other, NO_PAIRS, {}, own)
    assert found.images["image_id"].tolist() == ["001.png", "002.png"]
    assert found.images["cluster"].tolist() == [8, 9]


def test_copies_of_what_was_trained_on_are_left_out_and_those_of_test_images_are_not(trained):
    data, split = trained
    other = stored(8, 1, CLASSES)
    other.images[1] = data.images[2]  # equal pixels of a training image
    other.images[4] = (data.images[9] * 0.8 + 20).astype(np.uint8)[:, ::-1]  # a validation image, altered
    other.images[5] = data.images[11]  # a test image
    other.manifest.loc[7, "sha256"] = data.manifest["sha256"][0]  # the file of a training image
    found = external_set(data, split, other, NO_PAIRS, {})
    assert found.overlap[["trained", "external", "kind"]].to_numpy().tolist() == [
        ["000.png", "007.png", "exact"],
        ["002.png", "001.png", "exact"],
        ["009.png", "004.png", "near"],
    ]
    assert found.images["row"].tolist() == [0, 2, 3, 5, 6]


def test_nothing_left_and_other_classes_are_refused(trained):
    data, split = trained
    with pytest.raises(UserError, match="every external image is one that was trained on"):
        external_set(data, split, Stored(data.images[:8], data.manifest[:8]), NO_PAIRS, {})
    with pytest.raises(UserError, match="the class 'normal' is in one of the two datasets alone"):
        external_set(data, split, stored(6, 1, [*CLASSES, "normal"]), NO_PAIRS, {})


@pytest.mark.parametrize("method", ["ssf", "full"])
def test_predictions_are_those_that_the_run_makes_of_its_own_test_images(method, splits, recipe, vit, tmp_path):
    classifier = Classifier("vit_mini_patch8_64.distilled", method, vit, ["class0", "class1", "class2"])
    files = RunFiles(tmp_path / "adapter.safetensors", tmp_path / "checkpoint")
    outcome = finetune(classifier, splits, recipe, 1e-3, 3, files)
    found = external_predictions(classifier, files.adapter, splits["test"], recipe, 3)
    pd.testing.assert_frame_equal(found, outcome.predictions, check_exact=True)


def test_rows_are_loaded_with_the_numbers_of_the_trained_classes(tmp_path):
    images = np.arange(4 * SIDE * SIDE * 3).reshape(4, SIDE, SIDE, 3).astype(np.uint8)
    np.save(tmp_path / "images.npy", images)
    rows = pd.DataFrame({"image_id": ["b", "a"], "row": [3, 1], "cluster": [0, 1], "label": ["x", "y"]})
    split = load_rows(tmp_path / "images.npy", rows, ["y", "x"])
    assert split.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(split.images.numpy(), images[[3, 1]])
