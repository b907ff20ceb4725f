"""Pixels of stored and of generated images as NumPy arrays, for figures and comparisons that do without torch."""

from pathlib import Path

import numpy as np
from PIL import Image


def centre(stored: np.ndarray, size: int) -> np.ndarray:
    """Return the centres, `size` pixels wide, of square images (N, H, H, 3)."""
    start = (stored.shape[1] - size) // 2
    return stored[:, start : start + size, start : start + size]


def read(folder: Path, files: list[str]) -> np.ndarray:
    """Return the generated images `files` of `folder`, uint8 (N, size, size, 3)."""
    return np.stack([np.asarray(Image.open(folder / file).convert("RGB")) for file in files])
