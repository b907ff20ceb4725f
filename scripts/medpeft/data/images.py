"""The training, validation and test images of one run, as tensors in memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from medpeft.data.labels import is_multi_label, labels_beside, marks
from medpeft.data.subset import members


@dataclass(frozen=True)
class Split:
    """The images of one split.

    Args:
        images: uint8 (N, H, H, 3); for a method that trains on features these in their place, float32 (N, width).
        labels: Their class numbers, int64 (N,); where images may have several labels float32 (N, classes), 1 for a
            class that an image has, 0 for one that it lacks and NaN where that is not known.
        rows: Their rows of the manifest and the split.
    """

    images: Tensor
    labels: Tensor
    rows: pd.DataFrame

    def to(self, device: str) -> "Split":
        """Return the split with its images and labels on `device`."""
        return Split(self.images.to(device), self.labels.to(device), self.rows)


def load_splits(
    images: Path, manifest: Path, split: Path, subset: Path, fraction: float
) -> tuple[list[str], dict[str, Split]]:
    """Return the class names in their order, and the splits train, validation and test by name.

    Args:
        images: The file of the images or of their features.
        manifest: The table that names them, with `labels.json` beside it.
        split: The table of the split of each.
        subset: The table of the shares that order the training images.
        fraction: Of the training images, which alone are cut.
    """
    classes = list(labels_beside(manifest).classes)
    table = members(manifest, split, subset, fraction)
    pixels = np.load(images, mmap_mode="r")
    return classes, {str(name): _load(pixels, rows, classes) for name, rows in table.groupby("split")}


def load_rows(images: Path, rows: pd.DataFrame, classes: list[str]) -> Split:
    """Return some images of the file `images`, or their features, as one split.

    Args:
        images: The file of the images or of their features.
        rows: Their image_id, cluster, label and `row` in the file.
        classes: The class names, in the order of their numbers.
    """
    return _load(np.load(images, mmap_mode="r"), rows, classes)


def _load(pixels: np.ndarray, rows: pd.DataFrame, classes: list[str]) -> Split:
    images = torch.from_numpy(pixels[rows["row"].to_numpy()])
    return Split(images, _targets(rows, classes), rows.reset_index(drop=True))


def _targets(rows: pd.DataFrame, classes: list[str]) -> Tensor:
    if is_multi_label(rows):
        positive, known = marks(rows, classes)
        return torch.from_numpy(np.where(known, positive, np.nan).astype(np.float32))
    return torch.tensor([classes.index(label) for label in rows["label"]])
