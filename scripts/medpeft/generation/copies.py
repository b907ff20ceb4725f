"""Copies of training images among generated ones.

Each generated image is compared with every training image, whole and in windows, as it is and mirrored. Both are
thumbnails as in `medpeft.data.duplicates`, smaller ones. The distance, 1 less the correlation, is divided by its median
over the nearest training images (after Carlini et al. 2023, arXiv 2301.13188), because a smooth image is somewhat near
to all. An image is flagged if it is nearer to a training image than all but 1 % of real test images, which are no
copies.

Measured on the simulated breasts at 56 pixels (320 training, 280 test images) and on BUSI at 64 (584, 119):

- Of 150 copies of training images, with noise of 5 or 15 grey levels, cropped to 0.95, 0.9 or 0.8 of the side anywhere,
  mirrored, at 1.3 or 0.7 of the brightness, blurred, or all of it at once, all were flagged on both; on BUSI one
  that was cropped to 0.8 was not. Without windows, crops to 0.9 and 0.8 are missed.
- Of validation images, as they are, noisy, blurred, brighter or cropped, up to 1.4 % of 144 and 2.6 % of 77 were
  flagged, where 0.7 % and 0.8 % are expected. BUSI names no patients: some may be of the same patient.
  Without the division, blurring by 2 pixels gets up to 6 % of the simulated breasts flagged.
- Of means of two training images all were flagged, and 43 % on BUSI; of uniform noise none.
- Distances in EfficientNet-Lite0's pooled features, whitened to 32 to 256 components, found on the simulated breasts no
  more than 41 % of crops to 0.9, 11 % of copies with noise of 15 and 10 % of those of another brightness: not used.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medpeft.base.errors import UserError
from medpeft.base.glyphs import give_glyphs
from medpeft.data.duplicates import describe
from medpeft.data.pixels import centre, read

THUMBNAIL_SIDE = 24  # pixels
WINDOWS = {1.0: 1, 0.95: 1, 0.9: 3, 0.8: 4}  # side as a share of the image's -> places of it along each axis
NEIGHBOURS = 50  # training images whose median distance one is divided by
CHANCE = 0.01  # share of images that are no copies which may be flagged
TRAINING_CHUNK = 512  # training images in memory at once
SHOWN = 6  # generated images, beside their nearest training images
MEMORISATION_COLUMNS = ["file", "nearest", "distance", "flagged"]
MEMORISATION_FACTS = ["memorised", "by_chance", "threshold", "generated", "real", "training"]


@dataclass(frozen=True)
class Memorisation:
    """What the search for copies found in one run.

    Attributes:
        table: one row a generated image with `MEMORISATION_COLUMNS`; `nearest` is the image_id of a training image.
        facts: `MEMORISATION_FACTS`, as `find_copies` returns them; all None where the run failed.
        figure: the generated images that are nearest to a training image.
    """

    table: pd.DataFrame
    facts: dict[str, float | int | None]
    figure: Figure

    @classmethod
    def of_failed_run(cls) -> "Memorisation":
        """Return an empty table, facts without values, and a figure that says why."""
        figure = Figure(figsize=(6, 1.5), layout="constrained")
        figure.text(0.5, 0.5, "The run failed: there are no images.", ha="center", va="center", fontsize=12)
        return cls(pd.DataFrame(columns=MEMORISATION_COLUMNS), dict.fromkeys(MEMORISATION_FACTS), figure)


def copies(rows: pd.DataFrame, images: Path, size: int, folder: Path, files: pd.Series) -> Memorisation:
    """Look for copies of a run's training images among the images that it generated.

    Args:
        rows: the images of the run, as `medpeft.data.subset.members` returns them.
        images: file of all images of the dataset, uint8 (N, H, H, 3).
        size: of the generated images and of the centres that they are compared with, in pixels.
        folder: where the generated images lie.
        files: their paths in it; the first image of each prompt is searched, whose path starts with `0/`.

    Raises:
        UserError: every test image has a duplicate in training.
    """
    train, test = (rows[rows["split"] == split] for split in ("train", "test"))
    # Under the published protocol some test images are duplicates of training images: those are no measure.
    real = test[~test["cluster"].isin(train["cluster"])]
    if real.empty:
        raise UserError(
            "every test image has a duplicate or group member in training, so nothing tells how near an image is that "
            "is no copy: take the protocol grouped"
        )
    stored = np.load(images, mmap_mode="r")
    names = list(files[files.str.startswith("0/")])
    generated = read(folder, names)
    chunks = (train["row"].iloc[start : start + TRAINING_CHUNK] for start in range(0, len(train), TRAINING_CHUNK))
    training = (centre(stored[chunk], size) for chunk in chunks)
    found, facts = find_copies(generated, centre(stored[real["row"]], size), training)
    closest = found["distance"].argsort(kind="stable").to_numpy()[:SHOWN]
    nearest = centre(stored[train["row"].iloc[found["nearest"].iloc[closest]]], size)
    table = found.assign(file=names, nearest=train["image_id"].iloc[found["nearest"]].to_numpy())[MEMORISATION_COLUMNS]
    return Memorisation(table, facts, side_by_side(table.iloc[closest], generated[closest], nearest))


def find_copies(
    generated: np.ndarray, real: np.ndarray, training: Iterable[np.ndarray]
) -> tuple[pd.DataFrame, dict[str, float | int | None]]:
    """Return the nearest training image of each generated one, and how many are nearer than chance explains.

    Args:
        generated: uint8 (N, H, H, 3), as all images: of one field of view, of any resolution.
        real: test images, of which no training image may be a duplicate.
        training: chunks of the training images, gone through once.

    Returns:
        One row a generated image: `nearest`, the number of the training image that is nearest, their `distance`, and
        whether it is `flagged`. Then the `MEMORISATION_FACTS`. `memorised` is the share of flagged images, `by_chance`
        the share to be expected of images that are no copies. The k-th nearest of n real test images sets the
        `threshold`, and a further one is nearer with probability k / (n + 1). That is `CHANCE` at most, or 1 / (n + 1)
        where n is too small for it. `generated`, `real` and `training` are the numbers of images.
    """
    numbers, distances, count = _nearest(np.concatenate([_described(images) for images in (generated, real)]), training)
    nearest, distance = numbers[: len(generated)], distances[: len(generated)]
    rank = max(1, int(CHANCE * (len(real) + 1)))
    threshold = np.sort(distances[len(generated) :])[rank - 1]
    table = pd.DataFrame({"nearest": nearest, "distance": distance, "flagged": distance < threshold})
    facts: dict[str, float | int | None] = {
        "memorised": float(table["flagged"].mean()),
        "by_chance": rank / (len(real) + 1),
        "threshold": float(threshold),
        "generated": len(generated),
        "real": len(real),
        "training": count,
    }
    return table, facts


def _described(images: np.ndarray) -> np.ndarray:
    """Return the descriptions, (N, 2, THUMBNAIL_SIDE ** 2), of images as they are and mirrored left to right."""
    described = describe(images, THUMBNAIL_SIDE)
    return np.stack([described, described[:, :, ::-1]], axis=1).reshape(len(images), 2, -1)


def _nearest(described: np.ndarray, training: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return, for each description, the number of the nearest training image and its distance; how many there are."""
    numbers = np.empty((len(described), 0), dtype=int)
    distances = np.empty((len(described), 0), dtype=np.float32)
    count = 0
    for chunk in training:
        numbers = np.hstack([numbers, np.tile(np.arange(count, count + len(chunk)), (len(described), 1))])
        distances = np.hstack([distances, 1 - _similarity(described, chunk)])
        order = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
        numbers, distances = (np.take_along_axis(found, order, axis=1) for found in (numbers, distances))
        count += len(chunk)
    usual = np.maximum(np.median(distances, axis=1), np.finfo(np.float32).eps)
    return numbers[:, 0], distances[:, 0].clip(0) / usual, count


def _similarity(described: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return the highest correlation of each description, as it is or mirrored, with a window of each image."""
    best = np.full((len(described), len(images)), -1, dtype=np.float32)
    for top, left, width in windows(images.shape[1]):
        window = describe(images[:, top : top + width, left : left + width], THUMBNAIL_SIDE).reshape(len(images), -1)
        for turned in (0, 1):
            np.maximum(best, described[:, turned] @ window.T, out=best)
    return best


def windows(size: int) -> list[tuple[int, int, int]]:
    """Return top, left and width of the windows of an image of `size` pixels: evenly spread, symmetric."""
    found = []
    for share, places in WINDOWS.items():
        width = round(share * size)
        offsets = [round((size - width) * (2 * place + 1) / (2 * places)) for place in range(places)]
        found += [(top, left, width) for top in offsets for left in offsets]
    return found


def side_by_side(table: pd.DataFrame, generated: np.ndarray, nearest: np.ndarray) -> Figure:
    """Return a figure with each generated image beside the training image that is nearest.

    Args:
        table: a row an image with `MEMORISATION_COLUMNS`.
        generated: uint8 (N, H, H, 3).
        nearest: the training images, likewise.
    """
    columns = 3
    lines = -(-len(table) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.6 * lines), layout="constrained")
    grid = figure.subfigures(lines, columns, squeeze=False).ravel()
    rows = table[MEMORISATION_COLUMNS].itertuples(index=False)
    for place, row, both in zip(grid, rows, zip(generated, nearest, strict=True), strict=False):
        file, image_id, distance, flagged = row
        place.suptitle(f"distance {distance:.2f}{', flagged' if flagged else ''}", fontsize=10)
        for axes, image, name in zip(place.subplots(1, 2), both, (file, image_id), strict=True):
            axes.imshow(image)
            axes.set_title(name, fontsize=8, parse_math=False)
            axes.set_axis_off()
    give_glyphs(figure)
    return figure
