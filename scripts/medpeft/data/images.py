"""The training, validation and test images of one run, as arrays in memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from medpeft.base.files import read_table
from medpeft.data.subset import members


@dataclass(frozen=True)
class Split:
    """Images, uint8 (N, H, H, 3), their class numbers, int64 (N,), and their rows of the manifest and the split.

    For a method that trains on features, these, float32 (N, width), stand in the place of the images.
    """

    images: Tensor
    labels: Tensor
    rows: pd.DataFrame

    def to(self, device: str) -> "Split":
        return Split(self.images.to(device), self.labels.to(device), self.rows)


def load_splits(
    images: Path, manifest: Path, split: Path, subset: Path, fraction: float
) -> tuple[list[str], dict[str, Split]]:
    """Return the sorted class names and the parts train, validation and test; only train is cut to `fraction`.

    `images` is the file of the images or of their features.
    """
    classes = sorted(read_table(manifest)["label"].unique())
    table = members(manifest, split, subset, fraction)
    pixels = np.load(images, mmap_mode="r")
    return classes, {name: _part(pixels, rows, classes) for name, rows in table.groupby("split")}


def _part(pixels: np.ndarray, rows: pd.DataFrame, classes: list[str]) -> Split:
    labels = torch.tensor([classes.index(label) for label in rows["label"]])
    return Split(torch.from_numpy(pixels[rows["row"].to_numpy()]), labels, rows.reset_index(drop=True))
