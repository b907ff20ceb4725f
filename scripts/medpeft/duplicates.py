"""Images that occur more than once in a dataset, exactly or nearly.

Two images are near duplicates if their small thumbnails, less the coarse structure that all images of an organ share,
correlate at `THRESHOLD` or more, as they are or mirrored. That tolerates another resize, compression, brightness,
contrast and annotations, but no other view. Measured, with thumbnails of prepared images:

- BUSI (780 images): 1 exact and 198 near pairs at 110 px (197 to 199 near from 64 to 256 px), 9 of these 199 with
  contradicting labels; looked at one by one, all 199 show the same scene. They tie 307 images into 138 sets. From 0.45
  to the threshold there are 15 more pairs, mostly neighbouring frames of one scan. No pair is mirrored.
- 1,000 chest radiographs (NIH ChestX-ray8): no pair of different patients above 0.60, one of the same patient at 1.00.
- The simulated breasts: 0.28 at most between patients, 0.62 between two images of one patient.

A search of small shifts found 2 more pairs in BUSI and raised radiographs of different patients to 0.69: left out.
"""

import hashlib
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter

SIDE = 40  # pixels of the thumbnail that is compared
SCALE = 1.0  # thumbnail pixels: structure much coarser than this, which all images of an organ share, is taken out
CONTRAST = 4.0  # grey levels: local contrast below this is noise and is not amplified
THRESHOLD = 0.65  # least similarity of near duplicates
BLOCK = 512  # images compared with all others at once
COLUMNS = ["first", "second", "kind", "similarity", "same_label", "same_group"]


def find(images: np.ndarray, manifest: pd.DataFrame) -> pd.DataFrame:
    """Return one row a pair of duplicates among `images` (N, H, W, 3) uint8, described by the rows of `manifest`.

    `kind` is `exact` (equal files or equal pixels) or `near` (`similarity`, in -1..1, of at least `THRESHOLD`); `first`
    comes before `second` in the manifest, and the pairs are in its order. Memory grows with N, not with its square.
    """
    similarity = {(i, j): ("exact", 1.0) for i, j in _exact(images, manifest["sha256"])}
    for i, j, value in _near(describe(images)):
        similarity.setdefault((i, j), ("near", value))
    pairs = sorted(similarity)
    first, second = (manifest.iloc[[pair[side] for pair in pairs]].reset_index(drop=True) for side in (0, 1))
    return pd.DataFrame(
        {
            "first": first["image_id"],
            "second": second["image_id"],
            "kind": [similarity[pair][0] for pair in pairs],
            "similarity": [round(similarity[pair][1], 4) for pair in pairs],
            "same_label": first["label"] == second["label"],
            "same_group": first["group_id"] == second["group_id"],
        },
        columns=COLUMNS,
    )


def describe(images: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Return (N, side, side) float32 descriptions of `images` (N, H, W, 3) uint8; inner products are similarities.

    A description is the grey thumbnail less its blurred self, divided by its local contrast, with mean 0 and norm 1.
    """
    described = np.empty((len(images), side, side), dtype=np.float32)
    for row, image in zip(described, images, strict=True):
        thumbnail = Image.fromarray(image).convert("L").resize((side, side), Image.Resampling.BILINEAR)
        grey = np.asarray(thumbnail, dtype=np.float32)
        detail = grey - gaussian_filter(grey, SCALE)
        detail /= np.sqrt(gaussian_filter(detail**2, 2 * SCALE)) + CONTRAST
        detail -= detail.mean()
        row[:] = detail / max(np.linalg.norm(detail), 1e-6)
    return described


def _exact(images: np.ndarray, digests: pd.Series) -> Iterator[tuple[int, int]]:
    """Yield the pairs of equal files or equal pixels."""
    pixels = pd.Series([hashlib.sha256(image.tobytes()).digest() for image in images])
    for keys in (digests, pixels):
        for rows in keys.reset_index(drop=True).groupby(keys.to_numpy()).groups.values():
            yield from combinations(rows, 2)


def _near(described: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs that are alike as they are or mirrored left to right, and their similarity."""
    flat = described.reshape(len(described), -1)
    mirrored = described[:, :, ::-1].reshape(len(described), -1)
    for start in range(0, len(flat), BLOCK):
        block = flat[start : start + BLOCK]
        alike = np.maximum(block @ flat[start:].T, block @ mirrored[start:].T)
        for i, j in np.argwhere(alike >= THRESHOLD):
            if i < j:
                yield start + int(i), start + int(j), float(alike[i, j])
