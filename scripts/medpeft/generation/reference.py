"""The real images that generated ones are compared with: their features, and how like them other real images are."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from medpeft.data.pixels import centre
from medpeft.generation.features import FEATURE_BATCH, Extractor, features
from medpeft.generation.likeness import LIKENESS, Likeness
from medpeft.networks.extractor import count_features
from medpeft.statistics.generated.jackknife import deviations, groups_of
from medpeft.statistics.inference import Estimate
from medpeft.statistics.metrics import METRICS, shown_in
from medpeft.training.captioned import chosen

Scores = dict[str, float | None]
DRAWS = 10  # of training images, each as many as there are test images


class Reference(NamedTuple):
    """What the generated images of every run on a dataset are compared with.

    Attributes:
        features: of N test images, float32 (N, channels).
        compared: their image_id and `group`, in the same order.
        floor: scores of real training images against them, see `reference`.
    """

    features: np.ndarray
    compared: pd.DataFrame
    floor: Scores


def compared_images(manifest: pd.DataFrame, split: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return image_id, `row` in the manifest, cluster and group of the test images that runs are compared with.

    Args:
        manifest: names the images in their order.
        split: the split and cluster of each image.
        count: how many test images to take; all where there are fewer.
    """
    rows = manifest[["image_id"]].assign(row=np.arange(len(manifest))).merge(split, on="image_id")
    test = chosen(rows[rows["split"] == "test"], count)
    return test[["image_id", "row", "cluster"]].assign(group=groups_of(test["cluster"]))


def drawn_rows(manifest: pd.DataFrame, split: pd.DataFrame, compared: pd.DataFrame) -> tuple[np.ndarray | None, int]:
    """Return the rows of training images that stand beside the test images, (draws, N), and how many there are.

    Those of a cluster among the test images are left out. Each draw has as many images as there are test images. Image
    i of a draw is in the group that image i of the test images is in, so that both leave the jackknife together.

    Args:
        manifest: names the images in their order.
        split: the split and cluster of each image.
        compared: the test images, as `compared_images` returns them.

    Returns:
        None instead of rows where there are too few; then fewer can be drawn than there are test images.
    """
    rows = manifest[["image_id"]].assign(row=np.arange(len(manifest))).merge(split, on="image_id")
    pool = rows[(rows["split"] == "train") & ~rows["cluster"].isin(compared["cluster"])]
    groups = compared["group"].to_numpy()
    if len(pool) < len(groups):
        return None, len(pool)
    needed = np.bincount(groups)[1:]
    of_pool = groups_of(pool["cluster"], len(needed))
    largest = np.argsort(-np.bincount(of_pool, minlength=len(needed) + 1)[1:], kind="stable") + 1
    drawable = {  # the larger groups of training images stand beside the larger ones of test images
        group: pool["row"].to_numpy()[of_pool == of_group]
        for group, of_group in zip(np.argsort(-needed, kind="stable") + 1, largest, strict=True)
    }
    fitting = sum(min(len(drawable[group]), count) for group, count in enumerate(needed, 1))
    if fitting < len(groups):
        return None, fitting
    random, drawn = np.random.default_rng(0), np.empty((DRAWS, len(groups)), int)
    for draw in drawn:
        for group, count in enumerate(needed, 1):
            draw[groups == group] = random.choice(drawable[group], count, replace=False)
    return drawn, len(pool)


def reference(
    images: Path, manifest: pd.DataFrame, split: pd.DataFrame, count: int, size: int, extractor: Extractor
) -> Reference:
    """Return the test images of a dataset as features, and the floor of its FIDs.

    Args:
        images: file of all images, uint8 (N, H, H, 3).
        manifest: names the images in their order.
        split: the split and cluster of each image.
        count: how many test images to take; all where there are fewer.
        size: of their centres, in pixels.
        extractor: the network in whose features images are compared.

    Returns:
        The floor has the scores of `floor_images` real training images of other patients, as many as there are test
        images: means over `floor_draws` random draws, `floor_fid` and so on, with their 95 % intervals over draws and
        images, `floor_fid_low`, `floor_fid_high`. `floor_pool` is the number of training images to draw from; where
        they are too few, the scores are None. `features` is the number of features of an image.
    """
    compared = compared_images(manifest, split, count)
    drawn, pool = drawn_rows(manifest, split, compared)
    stored = np.load(images, mmap_mode="r")
    wanted = np.unique([*compared["row"], *([] if drawn is None else drawn.ravel())])
    starts = range(0, len(wanted), FEATURE_BATCH)
    found = features((centre(stored[wanted[start : start + FEATURE_BATCH]], size) for start in starts), extractor)
    real = found[np.searchsorted(wanted, compared["row"])]
    facts: Scores = {"features": count_features(extractor.name), "floor_images": len(real)}
    facts |= {"floor_pool": pool, "floor_draws": 0}
    if drawn is None:
        facts |= {f"floor_{metric}{end}": None for metric in shown_in("floor") for end in ("", "_low", "_high")}
    else:
        draws = [found[np.searchsorted(wanted, draw)] for draw in drawn]
        facts |= {"floor_draws": len(drawn)} | _floor(draws, real, compared["group"].to_numpy())
    return Reference(real, compared[["image_id", "group"]], facts)


def _floor(draws: list[np.ndarray], real: np.ndarray, groups: np.ndarray) -> Scores:
    """Return the scores of features of real images, a draw each, with their intervals over draws and images."""
    scores = np.array([Likeness(draw, real).scores(groups) for draw in draws])  # (draws, 1 + groups, metrics)
    floor: Scores = {}
    for metric in shown_in("floor"):
        of_metric = scores[:, :, LIKENESS.index(metric)]
        moved = deviations(of_metric, np.bincount(groups)[1:])
        estimate = Estimate.of_covariance(of_metric[:, 0], moved @ moved.T, moved.shape[1])
        low, high = estimate.interval(METRICS[metric].bounds)
        floor |= {f"floor_{metric}": estimate.value, f"floor_{metric}_low": low, f"floor_{metric}_high": high}
    return floor
