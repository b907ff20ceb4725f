"""Images that occur more than once in a dataset, exactly or nearly.

Two images are near duplicates if their small thumbnails correlate at `THRESHOLD` or more, as they are or mirrored. The
coarse structure that all images of an organ share is taken out before. That tolerates another resize, compression,
brightness, contrast and annotations, but no other view. Measured, with thumbnails of prepared images:

- BUSI (780 images): 1 exact and 198 near pairs at 110 px (197 to 199 near from 64 to 256 px), 9 of these 199 with
  contradicting labels; looked at one by one, all 199 show the same scene. They tie 307 images into 138 sets. From 0.45
  to the threshold there are 15 more pairs, mostly neighbouring frames of one scan. No pair is mirrored.
- 1,000 chest radiographs (NIH ChestX-ray8): no pair of different patients above 0.60, one of the same patient at 1.00.
- The simulated breasts: 0.28 at most between patients, 0.62 between two images of one patient.

A search of small shifts found 2 more pairs in BUSI and raised radiographs of different patients to 0.69: left out.

All pairs are compared, but nearly all of them in some 250 numbers an image in place of 1600: those give an upper bound
of the similarity (see `_reduced`), and only pairs whose bound reaches the threshold are compared in full. So no pair is
lost, whatever the images are; only the time depends on them.
"""

import hashlib
import logging
from collections.abc import Iterator
from itertools import combinations, combinations_with_replacement

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter

THUMBNAIL = 40  # pixels of the thumbnail that is compared
COARSE = 1.0  # thumbnail pixels: structure much coarser than this, which all images of an organ share, is taken out
LEAST_CONTRAST = 4.0  # grey levels: local contrast below this is noise and is not amplified
THRESHOLD = 0.65  # least similarity of near duplicates
CHUNK = 512  # images compared with as many others at once
SAMPLED = 4000  # images that the main directions are found from
LEFT_OVER = 0.35  # squared norm of what the main directions leave of a description, at most, in 95 % of the images
ROUNDING = 1e-5  # what single precision may take from a bound
PAIR_COLUMNS = ["first", "second", "kind", "similarity", "same_label", "same_group"]


def find(images: np.ndarray, manifest: pd.DataFrame) -> pd.DataFrame:
    """Return one row a pair of duplicates; the log counts them. Memory grows with N, not with its square.

    Args:
        images: uint8 (N, H, W, 3).
        manifest: Row i describes image i.

    Returns:
        The columns `PAIR_COLUMNS`. `kind` is `exact` (equal files or equal pixels) or `near` (`similarity`, in -1..1,
        of at least `THRESHOLD`). `first` comes before `second` in the manifest, and the pairs are in its order.
    """
    similarity = {(i, j): ("exact", 1.0) for i, j in _exact(images, manifest["sha256"])}
    exact = len(similarity)
    for i, j, value in _near(describe(images)):
        similarity.setdefault((i, j), ("near", value))
    logging.info("%d exact and %d near pairs", exact, len(similarity) - exact)
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
        columns=PAIR_COLUMNS,
    )


def describe(images: np.ndarray, side: int = THUMBNAIL) -> np.ndarray:
    """Return (N, side, side) float32 descriptions of `images` (N, H, W, 3) uint8; inner products are similarities.

    A description is the grey thumbnail less its blurred self, divided by its local contrast, with mean 0 and norm 1.
    """
    described = np.empty((len(images), side, side), dtype=np.float32)
    for row, image in zip(described, images, strict=True):
        thumbnail = Image.fromarray(image).convert("L").resize((side, side), Image.Resampling.BILINEAR)
        grey = np.asarray(thumbnail, dtype=np.float32)
        detail = grey - gaussian_filter(grey, COARSE)
        detail /= np.sqrt(gaussian_filter(detail**2, 2 * COARSE)) + LEAST_CONTRAST
        detail -= detail.mean()
        row[:] = detail / max(float(np.linalg.norm(detail)), 1e-6)
    return described


def _exact(images: np.ndarray, digests: pd.Series) -> Iterator[tuple[int, int]]:
    """Yield the pairs of equal files or equal pixels."""
    pixels = pd.Series([hashlib.sha256(image.tobytes()).digest() for image in images])
    for keys in (digests, pixels):
        for rows in keys.reset_index(drop=True).groupby(keys.to_numpy()).groups.values():
            yield from combinations(rows, 2)


def _near(described: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs that are alike as they are or mirrored left to right, and their similarity."""
    even, odd = _reduced(described)
    starts = range(0, len(described), CHUNK)
    for one, other in combinations_with_replacement([slice(start, start + CHUNK) for start in starts], 2):
        bound = even[one] @ even[other].T
        bound += np.abs(odd[one] @ odd[other].T)
        first, second = np.nonzero(bound >= THRESHOLD - ROUNDING)
        first, second = first + one.start, second + other.start
        yield from _compared(described, first[first < second], second[first < second])


def _compared(described: np.ndarray, first: np.ndarray, second: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Yield those of the pairs `first[p]`, `second[p]` that are alike, compared in full."""
    for start in range(0, len(first), CHUNK):
        i, j = first[start : start + CHUNK], second[start : start + CHUNK]
        left, right = described[i].astype(float), described[j].astype(float)
        plain = np.einsum("phw,phw->p", left, right)
        alike = np.maximum(plain, np.einsum("phw,phw->p", left, right[:, :, ::-1]))
        for at in np.flatnonzero(alike >= THRESHOLD):
            yield int(i[at]), int(j[at]), float(alike[at])


def _reduced(described: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays (N, fewer numbers) `even` and `odd` that bound the similarity of any pair from above.

    A description is the sum of a mirror-symmetric part e and an antisymmetric part o, and its mirror image is e - o. So
    the larger of both similarities is <e, e'> + |<o, o'>|. Each part is projected on its main directions, and what
    these leave has a norm r. By the inequality of Cauchy and Schwarz the similarity is at most the same sum over the
    projections plus r r'. The r is the last number of `even`.
    """
    bases = _directions(_halves(described[:: -(-len(described) // SAMPLED)]))
    even, odd = (np.empty((len(described), basis.shape[1]), dtype=np.float32) for basis in bases)
    rest = np.empty((len(described), 1), dtype=np.float32)
    for start in range(0, len(described), CHUNK):
        chunk = slice(start, start + CHUNK)
        even[chunk], odd[chunk] = (half @ basis for half, basis in zip(_halves(described[chunk]), bases, strict=True))
        left = (described[chunk] ** 2).sum((1, 2)) - (even[chunk] ** 2).sum(1) - (odd[chunk] ** 2).sum(1)
        rest[chunk, 0] = np.sqrt(left.clip(0) + ROUNDING)
    return np.hstack([even, rest]), odd


def _halves(described: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the symmetric and the antisymmetric halves, (N, THUMBNAIL**2 / 2) each: together they keep the norm."""
    left, right = described[:, :, : THUMBNAIL // 2], described[:, :, : THUMBNAIL // 2 - 1 : -1]
    even, odd = ((half / np.sqrt(np.float32(2))).reshape(len(described), -1) for half in (left + right, left - right))
    return even, odd


def _directions(halves: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """Return orthonormal columns for each half, as few as leave no more than `LEFT_OVER` of 95 % of the images."""
    spectra = [np.linalg.eigh(half.T @ half) for half in halves]
    weights = np.concatenate([weights for weights, _ in spectra])
    order = np.argsort(-weights, kind="stable")
    energy = np.hstack([half @ vectors for half, (_, vectors) in zip(halves, spectra, strict=True)]) ** 2
    left = energy.sum(1, keepdims=True) - np.cumsum(energy[:, order], axis=1)
    enough = np.quantile(left, 0.95, axis=0) <= LEFT_OVER
    kept = np.zeros(len(weights), dtype=bool)
    kept[order[: np.argmax(enough) + 1]] = True
    return [vectors[:, mine] for (_, vectors), mine in zip(spectra, np.split(kept, 2), strict=True)]
