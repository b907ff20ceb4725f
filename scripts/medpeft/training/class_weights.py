"""Weights that make rare classes count as much as frequent ones in the loss."""

import torch
from torch import Tensor


def balanced(labels: Tensor) -> Tensor:
    """Return the weight of each class that training images call for, float32 (classes,).

    Args:
        labels: Class numbers of the training images, int64 (N,); of images with several labels float32 (N, classes), 1
            for a class that an image has, 0 for one that it lacks and NaN where that is not known.

    Returns:
        Of classes that exclude each other, the weight of an image of the class: inverse to its number of images, and 1
        on average over images. A class beyond the last that has an image is left out. Of several labels, the weight of
        an image with the class, where one without it weighs 1: the ratio of their numbers. A class without images
        weighs 1.

    Source: King & Zeng 2001, Logistic regression in rare events data.
    """
    if labels.ndim == 1:
        counts = torch.bincount(labels).float()
        present = counts > 0
        return torch.where(present, len(labels) / (present.sum() * counts.clamp(min=1)), 1.0)
    positive, negative = ((labels == value).sum(dim=0).float() for value in (1, 0))
    return torch.where((positive > 0) & (negative > 0), negative / positive.clamp(min=1), 1.0)
