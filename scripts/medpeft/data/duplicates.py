"""Images that occur more than once in a dataset, exactly or nearly.

Near duplicates are found in two steps. First each image gets its candidates: the images whose small thumbnails are most
alike, as they are or mirrored. Images of one organ are that too, so a candidate is only called a duplicate after a
second look in fine detail (`medpeft.data.alignment`).

Measured on images of 256 and of 73 pixels. Pairs across patients, and those nearest to the threshold, were looked at by
eye. On 14,204 images whose patient or lesion is known, 4 pairs cross patients: all 4 show one picture or one lesion.

- 506 knee radiographs: no pair; patients reach a similarity of 0.40 at 256 pixels and of 0.54 at 73. The thumbnails
  alone had 54 pairs of different patients.
- 1,000 chest radiographs of NIH: 1 pair, of one patient; other patients 0.51 and 0.62, one patient's films 0.70, 0.78.
- 2,086 chest radiographs of children (Kermany): 15 pairs, one across patients, of equal pixels; others 0.58 and 0.69.
- 10,015 photographs of HAM10000: 174 and 177 pairs, 2 of them across lesions, which are one; others 0.57 and 0.71.
- 597 frames of lung ultrasound (POCUS): 18 and 22 pairs, one across patients, which is one frame; next 0.64 and 0.75,
  two films of one scan under two patients.
- BUSI (780 images, patients unknown): 215 and 213 pairs, 11 with contradicting labels. The thumbnails alone had 200, of
  which 3 neighbouring frames of one scan are no longer found at 73 pixels, and missed 16 that are cropped or moved.
- 516 fundus photographs (IDRiD): 7 pairs, the next 0.25 and 0.36. The thumbnails alone had 149.
- Changed copies of images of six of these sets, 24 a change. Resized to 90 pixels, blurred, compressed at quality 40,
  brighter, darker, at less contrast, of another gamma, mirrored, moved by 2 % or cropped by up to 2.5 % a side: 1 of
  336 missed at each size. Annotated: 2 of 24. With much noise, at quality 15, or changed in five ways at once: a third.
  Cropped by 5 % a side: 15 of 24.

Below 64 pixels less is certain: at 37, POCUS has 5 pairs across patients, and two films of NIH are taken for one.
"""

import hashlib
import logging
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter

from medpeft.data.alignment import SIDE, SecondLook
from medpeft.data.labels import same_labels

THUMBNAIL = 24  # pixels of the thumbnails whose likeness makes candidates
COARSE = 1.0  # thumbnail pixels: structure much coarser than this, which all images of an organ share, is taken out
LEAST_CONTRAST = 4.0  # grey levels: local contrast below this is noise and is not amplified
ALIKE = 0.5  # least likeness of candidates
CANDIDATES = 16  # of an image, at most
REFUSED = 3  # candidates of an image that are no duplicates, until no further one is looked at
THRESHOLD = 0.72  # least similarity of near duplicates at `SIDE` pixels
STEP = 0.09  # by which the threshold rises where the side is half as long: fewer details tell less
AT_ONCE = 2**23  # likenesses of pairs in memory at once


class Reference(NamedTuple):
    """How often the search erred on datasets whose groups are known."""

    datasets: int
    images: int  # whose group is known
    doubted: int  # of them: called a duplicate of an image of another group
    wrong: int  # of these: by eye two pictures


REFERENCE = Reference(datasets=5, images=14_204, doubted=8, wrong=0)
PAIR_COLUMNS = ["first", "second", "kind", "similarity", "same_label", "same_group"]


def find(images: np.ndarray, manifest: pd.DataFrame) -> pd.DataFrame:
    """Return one row a pair of duplicates; the log counts them. Memory grows with N, not with its square.

    Args:
        images: uint8 (N, H, W, 3).
        manifest: Row i describes image i.

    Returns:
        The columns `PAIR_COLUMNS`. `kind` is `exact` (equal files or equal pixels) or `near` (`similarity`, up to 1, of
        at least `threshold`: see `SecondLook.similarity`). `first` comes before `second` in the manifest, and the pairs
        are in its order. `same_label` is False where one has a class that the other is known not to have.
    """
    similarity = {(i, j): ("exact", 1.0) for i, j in _exact(images, manifest["sha256"])}
    exact = len(similarity)
    for i, j, value in _near(images, set(similarity)):
        similarity[i, j] = ("near", value)
    logging.info("%d exact and %d near pairs", exact, len(similarity) - exact)
    pairs = sorted(similarity)
    first, second = (manifest.iloc[[pair[side] for pair in pairs]].reset_index(drop=True) for side in (0, 1))
    return pd.DataFrame(
        {
            "first": first["image_id"],
            "second": second["image_id"],
            "kind": [similarity[pair][0] for pair in pairs],
            "similarity": [round(similarity[pair][1], 4) for pair in pairs],
            "same_label": same_labels(first, second),
            "same_group": first["group_id"] == second["group_id"],
        },
        columns=PAIR_COLUMNS,
    )


def doubts(manifest: pd.DataFrame, pairs: pd.DataFrame) -> list[str]:
    """Return what is to be said of `pairs` of different groups, and of those with contradicting labels."""
    said = [
        (
            int(across_groups(manifest, pairs).sum()),
            "are of different groups (patients, lesions or eyes), so either the search or the groups are wrong "
            "(same_group is False)",
        ),
        (int((~pairs["same_label"]).sum()), "have contradicting labels (same_label is False)"),
    ]
    return [f"{count} of {len(pairs)} pairs of duplicates {words}" for count, words in said if count]


def across_groups(manifest: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Return which of the `pairs` are of two groups that are both known, each either an error or a wrong group_id."""
    group = manifest.set_index("image_id")["group_id"]
    group = group[group_known(manifest).to_numpy()]
    first, second = pairs["first"].map(group), pairs["second"].map(group)
    return (first.notna() & second.notna() & (first != second)).to_numpy(dtype=bool)


def group_known(manifest: pd.DataFrame) -> pd.Series:
    """Return of which images the group is known; of others the group_id is the image_id."""
    return manifest["group_id"] != manifest["image_id"]


def threshold(side: int) -> float:
    """Return the least similarity of near duplicates that are compared at `side` pixels."""
    return float(THRESHOLD + STEP * np.log2(SIDE / side))


def describe(images: np.ndarray, side: int = THUMBNAIL) -> np.ndarray:
    """Return (N, side, side) float32 descriptions of `images` (N, H, W, 3) uint8; inner products are likenesses.

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
    """Yield the pairs of equal files or equal pixels; images of one colour show nothing that could be the same."""
    shown = np.array([image.min() < image.max() for image in images], dtype=bool)
    pixels = pd.Series([hashlib.sha256(image.tobytes()).digest() for image in images])
    for keys in (digests, pixels):
        shown_keys = keys.reset_index(drop=True)[shown]
        for rows in shown_keys.groupby(shown_keys.to_numpy()).groups.values():
            yield from combinations(rows, 2)


def _near(images: np.ndarray, known: set[tuple[int, int]]) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs of near duplicates that are not `known`, and their similarity.

    The candidates of an image are looked at from the most alike down, until `REFUSED` of them are none.
    """
    look = SecondLook(images)
    least = threshold(look.side)
    seen: dict[tuple[int, int], bool] = dict.fromkeys(known, True)
    for number, candidates in enumerate(_candidates(describe(images))):
        refused = 0
        for other, mirrored in candidates:
            pair = min(number, other), max(number, other)
            if pair not in seen:
                value = look.similarity(*pair, mirrored)
                seen[pair] = value >= least
                if seen[pair]:
                    yield *pair, value
            refused += not seen[pair]
            if refused == REFUSED:
                break


def _candidates(described: np.ndarray) -> Iterator[list[tuple[int, bool]]]:
    """Yield for each image its candidates, the most alike first, and whether they are alike when one is mirrored.

    A description is the sum of a mirror-symmetric part e and an antisymmetric part o, and its mirror image is e - o. So
    the larger of both likenesses is <e, e'> + |<o, o'>|.
    """
    even, odd = _halves(described)
    rows = max(1, AT_ONCE // len(described))
    for start in range(0, len(described), rows):
        turned = odd[start : start + rows] @ odd.T
        alike = np.abs(turned)
        alike += even[start : start + rows] @ even.T
        alike[np.arange(len(alike)), np.arange(start, start + len(alike))] = -1
        nearest = np.argpartition(-alike, min(CANDIDATES, len(described)) - 1, axis=1)[:, :CANDIDATES]
        for values, signs, others in zip(alike, turned, nearest, strict=True):
            order = others[np.argsort(-values[others], kind="stable")]
            yield [(int(other), bool(signs[other] < 0)) for other in order if values[other] >= ALIKE]


def _halves(described: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the symmetric and the antisymmetric halves, (N, THUMBNAIL**2 / 2) each: together they keep the norm."""
    left, right = described[:, :, : THUMBNAIL // 2], described[:, :, : THUMBNAIL // 2 - 1 : -1]
    even, odd = ((half / np.sqrt(np.float32(2))).reshape(len(described), -1) for half in (left + right, left - right))
    return even, odd
