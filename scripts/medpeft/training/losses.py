"""The loss of a classifier: cross-entropy, or binary cross-entropy where images may have several labels."""

import torch
from torch import Tensor
from torch.nn import functional

from medpeft.training.class_weights import balanced


def class_weights(labels: Tensor, how: str) -> Tensor | None:
    """Return the weight of each class that the labels of the training images call for; None where `how` is none."""
    if how == "none":
        return None
    return balanced(labels)


def mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean loss of `logits` (N, classes) against `labels`, which are as in `medpeft.data.images.Split`."""
    if labels.ndim == 1:
        return functional.cross_entropy(logits, labels)
    return part_of_loss(logits, labels, shares_of(labels))


def part_of_loss(logits: Tensor, labels: Tensor, shares: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return what some images add to the loss of a batch.

    Args:
        logits: Float (n, classes).
        labels: As in `medpeft.data.images.Split`, of these images.
        shares: Of each of their labels in the mean over the batch, float (n,) or, where images may have several labels,
            (n, classes); see `shares_of`.
        weights: Of the classes, float (classes,); None where all weigh the same.
    """
    if labels.ndim == 1:
        losses = functional.cross_entropy(logits, labels, reduction="none")
        return (losses * shares * (1 if weights is None else weights[labels])).sum()
    losses = functional.binary_cross_entropy_with_logits(
        logits, labels.nan_to_num(), reduction="none", pos_weight=weights
    )
    return (losses * shares).sum()


def shares_of(labels: Tensor) -> Tensor:
    """Return the share of each label in the mean over a batch, 0 for those that are not known."""
    known = torch.ones_like(labels, dtype=torch.float32) if labels.ndim == 1 else (~labels.isnan()).float()
    return known / known.sum().clamp(min=1)


def shares_of_classes(labels: Tensor, classes: int) -> Tensor:
    """Return the share of the images that have each class, among those of which it is known, float64 (classes,)."""
    if labels.ndim == 1:
        return torch.bincount(labels, minlength=classes).double() / len(labels)
    return labels.double().nanmean(dim=0).nan_to_num()
