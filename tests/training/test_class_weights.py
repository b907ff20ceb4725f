"""Class weights: those of scikit-learn, and a loss that they make as if classes were equally frequent."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from medpeft.training.class_weights import balanced
from medpeft.training.classification import ClassifierLoop


def test_weights_are_those_of_scikit_learn_and_average_to_one():
    labels = torch.tensor([0] * 9 + [1] * 2 + [3] * 5)
    weights = balanced(labels)
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels.numpy())
    assert weights[[0, 1, 3]].numpy() == pytest.approx(expected)
    assert weights[labels].mean().item() == pytest.approx(1)


def test_weights_of_several_labels_are_the_ratio_of_their_absence_to_their_presence():
    labels = torch.tensor([[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]], dtype=torch.float32)
    assert balanced(labels).tolist() == pytest.approx([3, 1, 1 / 3])
    labels[2:, 0] = labels[3, 2] = torch.nan
    assert balanced(labels).tolist() == pytest.approx([1, 1, 1 / 2])


def test_micro_batches_sum_to_the_weighted_loss_of_the_batch(splits, recipe):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(3))
    images, labels = torch.rand(8, 3, 32, 32), torch.tensor([0, 0, 0, 0, 0, 1, 1, 2])
    network(images)
    loops = {
        kind: ClassifierLoop(network, splits, replace(recipe, class_weights=kind), 1e-3, 0, lambda epoch, row: None)
        for kind in ("none", "balanced")
    }
    weights = balanced(splits["train"].labels)
    each = functional.cross_entropy(network(images), labels, reduction="none")
    for kind, expected in (("none", each.mean()), ("balanced", (each * weights[labels]).mean())):
        parts = [loops[kind].loss((images[rows], labels[rows]), 8) for rows in (slice(0, 3), slice(3, 8))]
        assert sum(parts).item() == pytest.approx(expected.item(), rel=1e-5)
