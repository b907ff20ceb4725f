"""Labels of every kind from a user's archive to predictions, and what is not known changes neither loss nor score."""

import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from declared import declared
from PIL import Image
from sklearn.metrics import f1_score, log_loss
from torch import Tensor

from medpeft.base.files import read_json, read_table, write_table
from medpeft.data import registry
from medpeft.data.images import Split, load_splits
from medpeft.data.labels import labels_beside
from medpeft.data.prepare import prepare
from medpeft.data.split import split
from medpeft.data.subset import subset
from medpeft.methods.registry import load
from medpeft.networks.models import create
from medpeft.training.classification import Classifier, ClassifierLoop, fit, predict, score_of
from medpeft.training.finetune import finetune
from medpeft.training.losses import mean_loss
from medpeft.training.outcome import RunFiles

NO_PAIRS = pd.DataFrame({"first": [], "second": [], "same_label": []}).astype({"same_label": bool})
CLASSES = ["severe", "mild"]  # not in the order of their names
KINDS = {
    "multi-class": {},
    "binary": {"positive": "mild"},
    "ordinal": {},
    "multi-label": {"table": "labels.csv"},
}
SIZE = 60


def _archive(path: Path, task: str) -> None:
    """Write images of two grey levels, in folders of their classes or beside a table with a column a class."""
    random = np.random.default_rng(0)
    rows = []
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(SIZE):
            stream = BytesIO()
            pixels = random.integers(0, 80, (40, 40)) + 80 * (number % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
            folder = "images" if task == "multi-label" else CLASSES[number % 2]
            archive.writestr(f"{folder}/{number:02d}.png", stream.getvalue())
            rows.append(f"{folder}/{number:02d}.png,{number % 2},{['1', '0', '-1', ''][number % 4]}")
        if task == "multi-label":
            archive.writestr("labels.csv", "\n".join(["path,severe,mild", *rows]))


@pytest.fixture(params=KINDS)
def prepared(request, tmp_path) -> tuple[str, list[str], dict[str, Split]]:
    """A kind of labels, the classes, and the splits that are read back from what the stages of the data write."""
    task = request.param
    _archive(tmp_path / "chest.zip", task)
    dataset = registry.load("chest", declared(classes=CLASSES, task=task, **KINDS[task]))
    names = ("images.npy", "manifest.csv", "split.csv", "subset.csv")
    images, table, split_file, subset_file = (tmp_path / name for name in names)
    prepare("chest", dataset, [tmp_path / "chest.zip"], 37, images, table)
    manifest = read_table(table)
    write_table(split_file, split(manifest, NO_PAIRS))
    write_table(subset_file, subset(manifest, read_table(split_file), 0))
    assert labels_beside(table) == dataset.told_labels()
    return task, *load_splits(images, table, split_file, subset_file, 0.5)


def test_each_kind_comes_from_an_archive_to_predictions(prepared, lite0, recipe, tmp_path):
    task, classes, splits = prepared
    assert classes == (CLASSES if task in ("ordinal", "multi-label") else sorted(CLASSES))
    assert len(splits["train"].labels) == pytest.approx(SIZE * 0.7 / 2, abs=2)
    classifier = Classifier("efficientnet_lite0", "bias", lite0, classes)
    files = RunFiles(tmp_path / "adapter.safetensors", tmp_path / "checkpoint")
    outcome = finetune(classifier, splits, replace(recipe, epochs=1, validations=1), 1e-3, 0, files)
    assert outcome.status == "ok"
    table, rows = outcome.predictions, splits["test"].rows
    several = ["unknown"] if task == "multi-label" else []
    assert list(table) == ["image_id", "cluster", "label", *several, *(f"probability_{name}" for name in classes)]
    assert table["label"].tolist() == rows["label"].tolist()
    probabilities = table[[f"probability_{name}" for name in classes]].to_numpy()
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert np.allclose(probabilities.sum(axis=1), 1) == (task != "multi-label")
    write_table(tmp_path / "predictions.csv", table)
    assert read_table(tmp_path / "predictions.csv").equals(table.reset_index(drop=True))


def test_the_order_of_classes_lies_beside_the_manifest(prepared, tmp_path):
    task, classes, _ = prepared
    positive = "mild" if task == "binary" else None
    assert read_json(tmp_path / "labels.json") == {"task": task, "classes": classes, "positive": positive}


def several(count: int = 40) -> tuple[Tensor, Tensor]:
    """Return logits and labels of three classes, a quarter of the labels unknown."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (count, 3)).astype(np.float32)
    labels[random.random(labels.shape) < 0.25] = np.nan
    return torch.from_numpy(random.normal(size=(count, 3)).astype(np.float32)), torch.from_numpy(labels)


def test_loss_and_score_are_those_of_scikit_learn_over_the_labels_that_are_known():
    logits, labels = several()
    known = ~labels.isnan()
    truth, probability = labels[known].numpy(), logits[known].double().sigmoid().numpy()
    assert float(mean_loss(logits, labels)) == pytest.approx(log_loss(truth, probability), rel=1e-5)
    assert score_of("f1_micro", logits, labels) == pytest.approx(f1_score(truth, probability > 0.5))


def test_a_label_that_is_not_known_changes_neither_loss_nor_gradient_nor_score():
    logits, labels = several()
    moved = torch.where(labels.isnan(), logits + 7, logits)
    assert mean_loss(moved, labels) == mean_loss(logits, labels)
    assert score_of("f1_micro", moved, labels) == score_of("f1_micro", logits, labels)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(mean_loss(logits, labels), logits)
    assert (gradient[labels.isnan()] == 0).all()
    assert (gradient[~labels.isnan()] != 0).all()


def test_nothing_known_and_nothing_found_is_no_number_that_is_not_one():
    nothing = torch.full((2, 3), torch.nan)
    assert mean_loss(torch.zeros(2, 3), nothing) == 0


def _several_splits(splits: dict[str, Split]) -> dict[str, Split]:
    """Return `splits` with two labels an image: whether it is bright, and whether it is dark, some not known."""
    found = {}
    for name, one in splits.items():
        labels = torch.stack([one.labels == 2, one.labels == 0], dim=1).float()
        labels[::4, 1] = torch.nan
        found[name] = Split(one.images, labels, one.rows)
    return found


def test_several_labels_can_be_learned(lite0, splits, recipe):
    splits = _several_splits(splits)
    model = create("efficientnet_lite0", 2, lite0, load("bias"), seed=0)
    result = fit(model, splits, replace(recipe, epochs=8, batch_size=16), 1e-2, seed=0)
    assert result.best_row["validation_f1_micro"] > 0.8
    model.load_state_dict(result.best, strict=False)
    logits, labels = predict(model, splits["validation"], recipe), splits["validation"].labels
    assert result.best_row["validation_loss"] == pytest.approx(float(mean_loss(logits, labels)))


def test_the_loss_of_a_batch_is_one_mean_however_it_is_cut(lite0, splits, recipe):
    """Parts of a batch hold different numbers of known labels, and must not count alike."""
    splits = _several_splits(splits)
    losses = []
    for size in (8, 3):
        model = create("efficientnet_lite0", 2, lite0, load("linear_probe"), seed=0)
        loop = ClassifierLoop(model, splits, recipe, 1e-3, 0, lambda epoch, row: None)
        loop.course.micro_batch = size
        loop.begin()
        losses.append(float(loop.train_step(0)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
