"""Copies of training images among generated ones.

Each generated image is compared with every training image, whole and in windows, as it is and mirrored, by thumbnails
as in `medpeft.data.duplicates`, smaller ones. The distance, 1 less the correlation, is divided by its median over the
nearest training images (after Carlini et al. 2023, arXiv 2301.13188), for a smooth image is somewhat near to all. An
image is flagged if it is nearer to a training image than all but 1 % of real test images are, which are no copies.

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

import numpy as np
import pandas as pd

from medpeft.data.duplicates import describe

SIDE = 24  # pixels of the thumbnail
WINDOWS = {1.0: 1, 0.95: 1, 0.9: 3, 0.8: 4}  # side as a share of the image's -> places of it along each axis
NEIGHBOURS = 50  # training images whose distances one is divided by
CHANCE = 0.01  # share of images that are no copies which may be flagged
PAIRS = 6  # that are shown
COLUMNS = ["file", "nearest", "distance", "flagged"]
FACTS = ["memorised", "by_chance", "threshold", "generated", "real", "training"]


def copies(generated: np.ndarray, real: np.ndarray, training: Iterable[np.ndarray]) -> tuple[pd.DataFrame, dict]:
    """Return one row a generated image, and the `FACTS`.

    A row has `nearest`, the number of the training image that is nearest, their `distance`, and whether it is
    `flagged`. `memorised` is the share of flagged images, `by_chance` the share that is to be expected of images that
    are no copies: the k-th nearest of n real test images, of which no training image may be a duplicate, sets the
    `threshold`, and a further one is nearer with probability k / (n + 1). That is `CHANCE` at most, or 1 / (n + 1)
    where n is too small for it. All images are uint8 (N, H, H, 3) of one field of view, of any resolution; `training`
    comes in blocks and is gone through once.
    """
    numbers, distances, count = _nearest(np.concatenate([_described(images) for images in (generated, real)]), training)
    nearest, distance = numbers[: len(generated)], distances[: len(generated)]
    rank = max(1, int(CHANCE * (len(real) + 1)))
    threshold = np.sort(distances[len(generated) :])[rank - 1]
    table = pd.DataFrame({"nearest": nearest, "distance": distance, "flagged": distance < threshold})
    facts = {
        "memorised": float(table["flagged"].mean()),
        "by_chance": rank / (len(real) + 1),
        "threshold": float(threshold),
        "generated": len(generated),
        "real": len(real),
        "training": count,
    }
    return table, facts


def _described(images: np.ndarray) -> np.ndarray:
    """Return the descriptions, (N, 2, SIDE * SIDE), of images as they are and mirrored left to right."""
    described = describe(images, SIDE)
    return np.stack([described, described[:, :, ::-1]], axis=1).reshape(len(images), 2, -1)


def _nearest(described: np.ndarray, training: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return, for each description, the number of the nearest training image and its distance; how many there are."""
    numbers = np.empty((len(described), 0), dtype=int)
    distances = np.empty((len(described), 0), dtype=np.float32)
    count = 0
    for block in training:
        numbers = np.hstack([numbers, np.tile(np.arange(count, count + len(block)), (len(described), 1))])
        distances = np.hstack([distances, 1 - _similarity(described, block)])
        order = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
        numbers, distances = (np.take_along_axis(found, order, axis=1) for found in (numbers, distances))
        count += len(block)
    usual = np.maximum(np.median(distances, axis=1), np.finfo(np.float32).eps)
    return numbers[:, 0], distances[:, 0].clip(0) / usual, count


def _similarity(described: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Return the highest correlation of each description, as it is or mirrored, with a window of each image."""
    best = np.full((len(described), len(block)), -1, dtype=np.float32)
    for top, left, width in windows(block.shape[1]):
        window = describe(block[:, top : top + width, left : left + width], SIDE).reshape(len(block), -1)
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


def picture(table: pd.DataFrame, generated: np.ndarray, nearest: np.ndarray):
    """Return a matplotlib figure of pairs, each a generated image beside the training image that is nearest.

    The rows of `table` say of each pair the generated `file`, the `nearest` image_id, the `distance`, and whether it is
    `flagged`. A run without images gives a figure that says so.
    """
    from matplotlib.figure import Figure

    if table.empty:
        figure = Figure(figsize=(6, 1.5), layout="constrained")
        figure.text(0.5, 0.5, "The run failed: there are no images.", ha="center", va="center", fontsize=12)
        return figure
    columns = 3
    lines = -(-len(table) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.6 * lines), layout="constrained")
    grid = figure.subfigures(lines, columns, squeeze=False).ravel()
    for place, row, pair in zip(grid, table.itertuples(), zip(generated, nearest, strict=True), strict=False):
        place.suptitle(f"distance {row.distance:.2f}{', flagged' if row.flagged else ''}", fontsize=10)
        for axes, image, name in zip(place.subplots(1, 2), pair, (row.file, row.nearest), strict=True):
            axes.imshow(image)
            axes.set_title(name, fontsize=8)
            axes.set_axis_off()
    return figure
