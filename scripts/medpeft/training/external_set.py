"""The images of another dataset that runs are tested on: external validation.

Of a dataset that is not trained on, all images are external, whatever its own split. An image that is, exactly or
nearly, one that the runs were trained or validated on is left out: it would be no test.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.data.duplicates import PAIR_COLUMNS, find
from medpeft.data.split import clusters

SET_COLUMNS = ["image_id", "row", "cluster", "label"]
OVERLAP_COLUMNS = ["trained", "external", "kind", "similarity"]


@dataclass(frozen=True)
class Stored:
    """The stored images of a dataset.

    Attributes:
        images: uint8 (N, H, H, 3).
        manifest: Row i describes image i.
    """

    images: np.ndarray
    manifest: pd.DataFrame


class ExternalSet(NamedTuple):
    """What runs are tested on, and what is left out of it.

    Attributes:
        images: image_id, row (in the stored images), cluster, and label (as the trained dataset calls it).
        overlap: Pairs of an image that was trained on and an external one: trained and external (image ids), kind
            (`exact` or `near`) and similarity.
    """

    images: pd.DataFrame
    overlap: pd.DataFrame


def external_set(
    trained: Stored,
    split: pd.DataFrame,
    other: Stored,
    pairs: pd.DataFrame,
    classes: Mapping[str, str],
    other_split: pd.DataFrame | None = None,
) -> ExternalSet:
    """Return the images of `other` that runs on `trained` are tested on.

    Args:
        trained: What the runs were trained on.
        split: Its split; training and validation images are those that are not met again.
        other: The other dataset.
        pairs: The pairs of duplicates within it, whose images are of one cluster.
        classes: What its classes are called in the trained dataset; those that are not named are called the same.
        other_split: Its split, where the study trains on it too: its test images alone are taken.

    Raises:
        UserError: A class of it is none of the trained dataset, or no image is left.
    """
    manifest = other.manifest.assign(row=np.arange(len(other.manifest)))
    if other_split is None:
        manifest["cluster"] = clusters(manifest, pairs)
    else:
        test = other_split[other_split["split"] == "test"]
        manifest = manifest.merge(test[["image_id", "cluster"]], on="image_id")
    manifest["label"] = manifest["label"].replace(dict(classes))
    _refuse_other_classes(manifest["label"], trained.manifest["label"])
    fitted = trained.manifest["image_id"].isin(split.loc[split["split"] != "test", "image_id"]).to_numpy().nonzero()[0]
    overlap = _overlap(trained, fitted, other, manifest)
    kept = manifest[~manifest["image_id"].isin(overlap["external"])]
    if kept.empty:
        raise UserError("every external image is one that was trained on: name another dataset under test_on")
    return ExternalSet(kept[SET_COLUMNS].reset_index(drop=True), overlap)


def _refuse_other_classes(found: pd.Series, known: pd.Series) -> None:
    if strange := sorted({*found} ^ {*known}):
        raise UserError(
            f"the class {strange[0]!r} is in one of the two datasets alone: write under test_on what the classes of "
            "the other are called in the one that is trained on"
        )


def _overlap(trained: Stored, fitted: np.ndarray, other: Stored, manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of an image in the rows `fitted` of `trained` and one of `other` in `manifest`."""
    ends = (trained, fitted), (other, manifest["row"].to_numpy())
    images = _Joined([(stored.images, rows) for stored, rows in ends])
    tables = [
        stored.manifest.iloc[rows].assign(image_id=[f"{side} {row}" for row in rows])
        for side, (stored, rows) in zip("ab", ends, strict=True)
    ]
    found = find(cast(np.ndarray, images), pd.concat(tables, ignore_index=True))
    across = found[found["first"].str.startswith("a") & found["second"].str.startswith("b")]
    names = [
        stored.manifest["image_id"].to_numpy()[across[end].str[2:].astype(int)]
        for end, (stored, _) in zip(PAIR_COLUMNS[:2], ends, strict=True)
    ]
    table = across.assign(trained=names[0], external=names[1])
    return table[OVERLAP_COLUMNS].reset_index(drop=True)


class _Joined:
    """Some rows of several arrays of images, seen as one without a copy of them."""

    def __init__(self, parts: list[tuple[np.ndarray, np.ndarray]]):
        self._places = [(images, int(row)) for images, rows in parts for row in rows]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int | slice) -> np.ndarray:
        if isinstance(number, slice):
            return np.stack([images[row] for images, row in self._places[number]])
        images, row = self._places[number]
        return images[row]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (images[row] for images, row in self._places)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of images, their height, width and channels."""
        return len(self), *self[0].shape
