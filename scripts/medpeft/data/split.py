"""Which images are for training, validation and test."""

import logging
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medpeft.base.errors import UserError
from medpeft.base.files import check_checksum, sha256
from medpeft.base.losses import Losses
from medpeft.base.tables import parse_table
from medpeft.data.duplicates import group_known
from medpeft.data.labels import UNKNOWN, class_counts, contradicting, is_multi_label, marks

SPLITS = ("train", "validation", "test")
USUAL_SHARES = (0.7, 0.1, 0.2)  # of a dataset whose published sizes are unknown


def split(
    manifest: pd.DataFrame,
    pairs: pd.DataFrame,
    protocol: str = "grouped",
    duplicates: str = "report",
    seed: int = 0,
    sizes: tuple[int, int, int] | None = None,
    given: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return image_id, split (one of `SPLITS`) and cluster of each image of `manifest`, in its order.

    A cluster is what must stay together: images linked by a common group_id or by the duplicate `pairs`.

    Args:
        manifest: The images of the dataset.
        pairs: Its pairs of duplicates.
        protocol: `grouped` keeps every cluster whole and every class near the proportions of `sizes`. `paper` is the
            publisher's own split where the manifest has one. Else it draws single images, stratified, in exactly these
            `sizes` (in their proportions where images were dropped). Where images have several labels, every one of
            these is a class to keep in proportion.
        duplicates: `report` keeps all images; `drop` keeps the first of each set of duplicates, and none of a set whose
            labels disagree, but counts no near duplicates of two known groups; `fail` refuses duplicates.
        seed: Of all random draws.
        sizes: How many images are for training, validation and test in the published study.
        given: A split (image_id, split) that takes the place of the protocol; images that it lacks are left out.

    Raises:
        UserError: A class is missing from a split (of several labels an image: images that have it, or that lack it),
            there are duplicates and they are to `fail`, or a given split fits no image.
    """
    told = ["image_id", "label", *([UNKNOWN] if is_multi_label(manifest) else [])]
    images = manifest[told].assign(cluster=clusters(manifest, pairs))
    images = images[_kept(manifest, pairs, duplicates)].reset_index(drop=True)
    remedy = "look whether patients are told rightly, change split.seed or split.duplicates, or use a larger dataset"
    if given is not None:
        images = _as_given(images, given)
        remedy = "give it some there, in the file that the study's key split.files names"
    elif protocol == "paper" and "split" in manifest:
        images["split"] = images["image_id"].map(manifest.set_index("image_id")["split"])
        _check_names(images, "the dataset's own split")
        remedy = "name a split that has some under the study's key split.files, or set split.protocol to grouped"
    else:
        draw = {"grouped": _whole_clusters, "paper": _single_images}[protocol]
        images["split"] = draw(images, apportion(len(images), sizes or USUAL_SHARES), seed)
    _check(images, list(class_counts(manifest)), remedy)
    return images[["image_id", "split", "cluster"]]


def read_given(path: Path) -> pd.DataFrame:
    """Return image_id and split of the split that the file `path` holds; the log tells which one it is.

    Raises:
        UserError: It is not the file whose checksum stands beside it, is no table, or lacks one of these columns.
    """
    check_checksum(path)
    logging.info("the split is that of %s, SHA-256 %s", path, sha256(path))
    given, assumed = parse_table(path.read_bytes(), str(path), "name another under the study's key split.files")
    if assumed:
        logging.warning("%s is not in UTF-8: it is read as Windows-1252", path)
    if missing := {"image_id", "split"} - set(given):
        raise UserError(
            f"the given split, {path}, lacks the columns {', '.join(sorted(missing))}; it has "
            f"{', '.join(given.columns)}: call its columns so"
        )
    return given[["image_id", "split"]].assign(split=given["split"].str.strip())


def strangers(given: pd.DataFrame, manifest: pd.DataFrame) -> Losses:
    """Return which images a `given` split names that a dataset, of this `manifest`, does not have."""
    losses = Losses()
    losses.add("strangers", *given.loc[~given["image_id"].isin(manifest["image_id"]), "image_id"])
    return losses


def _as_given(images: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """Return the `images` that the table `given` names, with their splits."""
    if given.empty:
        raise UserError("the given split names no image: add rows with image_id and split")
    if given["image_id"].duplicated().any():
        twice = given.loc[given["image_id"].duplicated(), "image_id"].iloc[0]
        raise UserError(f"the given split names {twice!r} twice: delete one of its rows")
    _check_names(given, "the given split")
    found = images.merge(given[["image_id", "split"]], on="image_id")
    if found.empty:
        raise UserError(
            f"the given split names {len(given)} images, such as {given['image_id'].iloc[0]!r}, none of which is in "
            f"the dataset, whose names are like {images['image_id'].iloc[0]!r}: correct the column image_id"
        )
    return found


def _kept(manifest: pd.DataFrame, pairs: pd.DataFrame, policy: str) -> np.ndarray:
    """Return which rows of `manifest` the `policy` on duplicates keeps."""
    if policy == "fail" and len(pairs):
        disagreeing = int((~pairs["same_label"]).sum())
        raise UserError(
            f"there are {len(pairs)} pairs of duplicate images, {disagreeing} of them with contradicting labels, and "
            "the study's key split.duplicates is fail: set it to report or drop, or mend the archive"
        )
    if policy != "drop":
        return np.ones(len(manifest), dtype=bool)
    sure = pairs[(pairs["kind"] == "exact").to_numpy() | ~_of_two_groups(manifest, pairs)]
    copies = pd.Series(_connected(manifest["image_id"], sure), index=manifest.index)
    return ~contradicting(manifest, copies.to_numpy()) & ~copies.duplicated().to_numpy()


def _of_two_groups(manifest: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Return which of the `pairs` are in a set of duplicates with images of two known groups.

    A patient's image is not deleted because it looks like another patient's, or like one that looks like that.
    """
    copies = pd.Series(_connected(manifest["image_id"], pairs), index=manifest["image_id"].to_numpy())
    known = group_known(manifest).to_numpy()
    groups = manifest.loc[known, "group_id"].groupby(copies.to_numpy()[known]).nunique()
    return (pairs["first"].map(copies).map(groups) > 1).to_numpy(dtype=bool)


def clusters(manifest: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Return for each row of `manifest` the number of its cluster: images linked by group_id or duplicate `pairs`."""
    leader = manifest.groupby("group_id")["image_id"].transform("first")
    links = pd.DataFrame({"first": leader, "second": manifest["image_id"]})
    return _connected(manifest["image_id"], pd.concat([links, pairs[["first", "second"]]]))


def _connected(ids: pd.Series, links: pd.DataFrame) -> np.ndarray:
    """Return for each of `ids` the number of its connected component under `links` (first, second)."""
    number = pd.Series(range(len(ids)), index=ids.to_numpy())
    ends = number[links["first"]].to_numpy(), number[links["second"]].to_numpy()
    graph = coo_array((np.ones(len(links), dtype=bool), ends), shape=(len(ids), len(ids)))
    return connected_components(graph, directed=False)[1]


def apportion(total: int, weights: tuple[float, ...]) -> tuple[int, ...]:
    """Return whole numbers that sum to `total` in the proportions of `weights`, by the method of largest remainders.

    Where `total` is at least the number of weights, no number is 0: the largest numbers give up one each. A smaller
    `total` is given out in ones, so that as few numbers as possible are 0.
    """
    quota = total * np.array(weights) / sum(weights)
    counts = np.floor(quota).astype(int)
    counts[np.argsort(counts - quota, kind="stable")[: total - counts.sum()]] += 1
    for _ in range(min(total, len(counts)) - np.count_nonzero(counts)):
        counts[counts.argmax()] -= 1
        counts[counts.argmin()] += 1
    return tuple(counts.tolist())


def _single_images(images: pd.DataFrame, sizes: tuple[int, ...], seed: int) -> np.ndarray:
    """Return the split of each image; splits have exactly `sizes`, and each class its share of them."""
    if is_multi_label(images):  # scikit-learn stratifies by classes that exclude each other alone
        return _whole_clusters(images.assign(cluster=np.arange(len(images))), sizes, seed, exactly=True)
    from sklearn.model_selection import train_test_split

    labels = images["label"].to_numpy(dtype=str)
    splits = np.full(len(labels), SPLITS[0], dtype=object)
    rest = np.arange(len(labels))
    try:
        for name, size in ((SPLITS[2], sizes[2]), (SPLITS[1], sizes[1])):
            rest, drawn = train_test_split(rest, test_size=size, stratify=labels[rest], random_state=seed)
            splits[drawn] = name
    except ValueError as error:
        raise UserError(f"the images cannot be split by class into {sizes} ({error}): use a larger dataset") from error
    return splits


def _whole_clusters(images: pd.DataFrame, sizes: tuple[int, ...], seed: int, exactly: bool = False) -> np.ndarray:
    """Return the split of each image, the same within a cluster.

    Clusters are placed from the largest down, equally large ones in random order. Each goes where it brings the counts
    of its classes closest to their targets: least increase of the sum of (count - target)^2 / target. Single images
    come last and fill what is left, so that the targets are met wherever whole clusters allow it.

    Where images have several labels, all images count as one more class, so that those without any label are spread
    too, and so do those of which a label is not known. Images with many labels come before those with few, as in
    iterative stratification (Sechidis et al. 2011, On the stratification of multi-label data). `exactly` fills no split
    beyond its size, where clusters are images.
    """
    number, _ = pd.factorize(images["cluster"])
    counts = _class_table(images).groupby(number).sum().to_numpy()  # clusters x classes
    target = np.array([apportion(total, sizes) for total in counts.sum(axis=0)]).T  # splits x classes
    weight = 1 / np.maximum(target, 1)
    have = np.zeros_like(target)
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    place = np.empty(len(counts), dtype=int)
    for cluster in order:
        added = counts[cluster]
        increase = (added * (2 * (have - target) + added) * weight).sum(axis=1)
        if exactly:
            increase[have[:, -1] == sizes] = np.inf
        place[cluster] = increase.argmin()
        have[place[cluster]] += added
    return np.array(SPLITS, dtype=object)[place[number]]


def _class_table(images: pd.DataFrame) -> pd.DataFrame:
    """Return which images are of each class.

    Where they may have several labels, columns follow for those that are not known, and a last one for all images.
    """
    positive, known = marks(images, class_counts(images))
    if is_multi_label(images):
        positive = np.column_stack([positive, ~known, np.ones(len(images), dtype=bool)])
    return pd.DataFrame(positive)


def _check_names(images: pd.DataFrame, where: str) -> None:
    """Refuse a split given from outside that has other names than `SPLITS`."""
    other = images.loc[~images["split"].isin(SPLITS)]
    if len(other):
        raise UserError(
            f"{where} puts {len(other)} images, such as {other['image_id'].iloc[0]!r}, into "
            f"{other['split'].iloc[0]!r}: correct that to one of {', '.join(SPLITS)}"
        )


def _check(images: pd.DataFrame, classes: list[str], remedy: str) -> None:
    """Refuse `images` if one of the `classes` is missing from a split; `remedy` says what to do about it.

    Where images may have several labels, each split needs images that have the class, and images known to lack it.
    """
    positive, known = marks(images, classes)
    kinds = {"images": positive}
    if is_multi_label(images):
        kinds = {"images that have it": positive, "images known to lack it": known & ~positive}
    for (number, label), (kind, held) in product(enumerate(classes), kinds.items()):
        rows = images[held[:, number]]
        missing = [name for name in SPLITS if name not in set(rows["split"])]
        if missing:
            count = rows["cluster"].nunique()
            raise UserError(
                f"class {label!r} has no {kind} for {' and '.join(missing)}, having only {len(rows)} {kind}, of "
                f"{count} cluster{'s' * (count != 1)} (images that a patient or duplicates keep together): {remedy}"
            )
