"""Images and their captions as a U-Net sees them: latents and text embeddings, memory-mapped."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.data.subset import members

UNCONDITIONAL = 0  # row of the embedding of the empty caption
LEAST_IMAGES = 8  # of a test set: without a group of them the others still have three nearest neighbours


@dataclass(frozen=True)
class CaptionedLatents:
    """The latents and texts of a dataset, and the images of one split with their captions.

    Attributes:
        moments: float16 (N, 2 * channels, height, width), the mean and the logarithm of the variance of the latents of
            each image of the dataset.
        texts: float16 (distinct captions, tokens, width).
        rows: For each image of the split image_id, label, caption, its `row` in `moments`, its `text` in `texts` and,
            for training, the `share` that `medpeft.data.subset` gave it.
    """

    moments: np.ndarray
    texts: np.ndarray
    rows: pd.DataFrame


def load_captioned(
    moments: Path, texts: Path, captions: Path, split: Path, subset: Path, fraction: float, whole: int | None = None
) -> tuple[CaptionedLatents, CaptionedLatents]:
    """Return what there is for training, cut to `fraction`, and what there is for testing.

    `whole` is the number of training pairs that the fraction 1 stands for: see `medpeft.data.subset.members`.
    """
    rows = members(captions, split, subset, fraction, whole)
    arrays = np.load(moments, mmap_mode="r"), np.load(texts, mmap_mode="r")
    train, test = (rows[rows["split"] == name].reset_index(drop=True) for name in ("train", "test"))
    return CaptionedLatents(*arrays, train), CaptionedLatents(*arrays, test)


def drawn(train: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return `count` rows of a training set in the order of their share, so that the classes keep their proportions.

    Where it has fewer, it is gone through again.
    """
    ordered = train.sort_values("share", kind="stable")
    return ordered.iloc[np.arange(count) % len(ordered)].reset_index(drop=True)


def chosen(test: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return `count` rows of a test set, or all where it has fewer: the same ones for every run on it.

    Their captions are the prompts, and the generated images are compared with their images.

    Raises:
        UserError: There are too few to compare anything.
    """
    if len(test) < LEAST_IMAGES:
        raise UserError(
            f"the test set has {len(test)} images, too few to compare generated ones with: take a dataset with at "
            f"least {LEAST_IMAGES}"
        )
    return test.sample(min(count, len(test)), random_state=0).sort_index().reset_index(drop=True)
