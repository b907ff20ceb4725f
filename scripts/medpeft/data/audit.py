"""What a dataset and its split hold, and what they leak from training into test."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medpeft.base.files import replacing
from medpeft.base.frames import each_row
from medpeft.base.glyphs import give_glyphs
from medpeft.data.duplicates import across_groups, group_known
from medpeft.data.labels import UNKNOWN, class_counts, is_multi_label
from medpeft.data.split import SPLITS, clusters, split
from medpeft.data.stored.appearance import measures

AUDIT_COLUMNS = ["protocol", "measure", "scope", "label", "value"]
SHOWN = 3  # pairs of each kind in the picture
ABREAST = 3  # pairs in a row of the picture

Row = tuple[str, str, str, str, int]  # AUDIT_COLUMNS


def audit(
    manifest: pd.DataFrame,
    pairs: pd.DataFrame,
    table: pd.DataFrame,
    protocol: str,
    seed: int,
    sizes: tuple[int, int, int] | None = None,
    losses: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the audit of one split, and of the published, image-level one beside it.

    Args:
        manifest: The images of the dataset.
        pairs: Its pairs of duplicates.
        table: The split that is audited.
        protocol: What the split was made under.
        seed: Of the published split, which is drawn from all images, duplicates included.
        sizes: Of the published split.
        losses: What was listed and is not used, or is in doubt; see `medpeft.base.losses.Losses.table`.

    Returns:
        One row a number. `protocol` is that of a split, or empty for the dataset as a whole. `scope` is `all`, a split,
        `dropped` (by the policy on duplicates), or two splits as `train-test`. `label` is a class or empty. `measure`
        is

        - `images`, `groups` (distinct group_id) and `clusters`, per split; of a label, the images that have it;
        - `unknown_labels`, where images may have several: those of which it is not known whether they have the label;
        - `exact_pairs`, `near_pairs` and `contradicting_pairs` (of differing labels), within a split or across two;
        - `left_out`: what was listed and is not used, or is in doubt; its scope is the reason;
        - `known_groups`: images whose group is known, and `doubted_images`: those of them that have a duplicate in
          another known group, which is an error of the search or of the groups;
        - `told_split`, under `paper`: images whose part of a split comes with the dataset;
        - `shared_groups`: group_ids found in both splits;
        - `leaked_images`: images of the second split that have a duplicate or a group member in the first;
        - `majority_right` and `source_right`, where the manifest tells sources: images of a split that a model gets
          right which always answers the most frequent class in training, or the most frequent of the image's source;
          not where images may have several labels.
    """
    images = manifest.assign(cluster=clusters(manifest, pairs))
    rows = _counts("", "all", images) + _pairs("", "all", pairs) + _doubts(manifest, pairs)
    if losses is not None:
        rows += [("", "left_out", row.reason, "", int(row.count)) for row in each_row(losses)]
    if "split" in manifest:
        rows.append(("paper", "told_split", "all", "", int(manifest["split"].notna().sum())))
    tables = {protocol: table}
    if protocol != "paper":
        tables["paper"] = split(manifest, pairs, "paper", seed=seed, sizes=sizes)
    for name, one in tables.items():
        rows += _audit_one(name, images, pairs, one.set_index("image_id")["split"])
    return pd.DataFrame(rows, columns=AUDIT_COLUMNS)


def with_appearance(table: pd.DataFrame, appearance: pd.DataFrame, fit: str) -> pd.DataFrame:
    """Return the audit `table` with what was found in the pixels; see `medpeft.data.stored.appearance`."""
    rows = [("", measure, "all", "", value) for measure, value in measures(appearance, fit).items()]
    return pd.concat([table, pd.DataFrame(rows, columns=AUDIT_COLUMNS)], ignore_index=True)


def _audit_one(protocol: str, images: pd.DataFrame, pairs: pd.DataFrame, split_of: pd.Series) -> list[Row]:
    """Return the rows of one protocol; `split_of` maps image_id to its split and lacks dropped images."""
    own = images["image_id"].map(split_of)
    ends = pairs["first"].map(split_of), pairs["second"].map(split_of)
    rows = _per_label(protocol, "images", "dropped", images[own.isna()])
    for name in SPLITS:
        rows += _counts(protocol, name, images[own == name])
        rows += _pairs(protocol, name, pairs[(ends[0] == name) & (ends[1] == name)])
    for one, other in combinations(SPLITS, 2):
        scope = f"{one}-{other}"
        across = ((ends[0] == one) & (ends[1] == other)) | ((ends[0] == other) & (ends[1] == one))
        left, right = images[own == one], images[own == other]
        shared = set(left["group_id"]) & set(right["group_id"])
        copies = set(pairs.loc[across, "first"]) | set(pairs.loc[across, "second"])
        leaked = right["group_id"].isin(shared) | right["image_id"].isin(copies)
        rows += _pairs(protocol, scope, pairs[across])
        rows += [(protocol, "shared_groups", scope, "", len(shared))]
        rows += _per_label(protocol, "leaked_images", scope, right[leaked])
    has_shortcut = "source" in images and not is_multi_label(images)
    return rows + (_shortcut(protocol, images, own) if has_shortcut else [])


def _shortcut(protocol: str, images: pd.DataFrame, own: pd.Series) -> list[Row]:
    """Return how many images two models get right that see no image: see `audit`."""
    train = images[own == SPLITS[0]]
    majority = train["label"].mode()[0]
    of_source = train.groupby("source")["label"].agg(lambda labels: labels.mode()[0])
    rows: list[Row] = []
    for name in SPLITS[1:]:
        rest = images[own == name]
        answers = {"majority_right": majority, "source_right": rest["source"].map(of_source).fillna(majority)}
        rows += [
            (protocol, measure, name, "", int((rest["label"] == answer).sum())) for measure, answer in answers.items()
        ]
    return rows


def _counts(protocol: str, scope: str, images: pd.DataFrame) -> list[Row]:
    unknown = class_counts(images, UNKNOWN) if is_multi_label(images) else {}
    return [
        *_per_label(protocol, "images", scope, images),
        *((protocol, "unknown_labels", scope, label, count) for label, count in unknown.items()),
        (protocol, "groups", scope, "", images["group_id"].nunique()),
        (protocol, "clusters", scope, "", images["cluster"].nunique()),
    ]


def _per_label(protocol: str, measure: str, scope: str, images: pd.DataFrame) -> list[Row]:
    per_label = [(protocol, measure, scope, label, count) for label, count in class_counts(images).items()]
    return [(protocol, measure, scope, "", len(images)), *per_label]


def _pairs(protocol: str, scope: str, pairs: pd.DataFrame) -> list[Row]:
    return [
        (protocol, "exact_pairs", scope, "", int((pairs["kind"] == "exact").sum())),
        (protocol, "near_pairs", scope, "", int((pairs["kind"] == "near").sum())),
        (protocol, "contradicting_pairs", scope, "", int((~pairs["same_label"]).sum())),
    ]


def _doubts(manifest: pd.DataFrame, pairs: pd.DataFrame) -> list[Row]:
    """Return the images whose group is known, and those that are called a duplicate of an image of another group."""
    across = pairs[across_groups(manifest, pairs)]
    return [
        ("", "known_groups", "all", "", int(group_known(manifest).sum())),
        ("", "doubted_images", "all", "", len({*across["first"], *across["second"]})),
    ]


def leak(table: pd.DataFrame, protocol: str) -> str | None:
    """Return what is to be said of the audit `table` where the split that is used leaves relatives in training."""
    row = dict(zip(AUDIT_COLUMNS, (protocol, "leaked_images", "train-test", ""), strict=False))
    count = int(table.loc[(table[[*row]] == pd.Series(row)).all(axis=1), "value"].sum())
    if not count:
        return None
    return f"{count} test images have a relative (of the same group, or a duplicate) in training under this split"


def write_picture(path: Path, images: np.ndarray, manifest: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """Write `picture` to `path` as PNG; equal pairs give equal bytes."""
    figure = picture(images, manifest, pairs)
    give_glyphs(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


def picture(images: np.ndarray, manifest: pd.DataFrame, pairs: pd.DataFrame) -> Figure:
    """Return a figure of up to `SHOWN` exact, near and contradicting pairs of `images` (N, H, W, 3) uint8.

    Near and contradicting pairs are spread from the least to the most similar. A dataset without duplicates gives a
    figure that says so.
    """
    kinds = {
        "exact": pairs[(pairs["kind"] == "exact") & pairs["same_label"]],
        "near": pairs[(pairs["kind"] == "near") & pairs["same_label"]],
        "contradicting labels": pairs[~pairs["same_label"]],
    }
    shown = [(kind, pair) for kind, found in kinds.items() for pair in _spread(found).itertuples()]
    if not shown:
        figure = Figure(figsize=(6, 1.5), layout="constrained")
        figure.text(0.5, 0.5, f"No duplicates among {len(manifest):,} images.", ha="center", va="center", fontsize=12)
        return figure
    return _draw(shown, images, manifest)


def _draw(shown: list[tuple[str, Any]], images: np.ndarray, manifest: pd.DataFrame) -> Figure:
    """Return a figure of the pairs `shown`, each a kind and a row of the table of pairs."""
    number = pd.Series(range(len(manifest)), index=manifest["image_id"])
    label = manifest.set_index("image_id")["label"]
    lines = -(-len(shown) // ABREAST)
    figure = Figure(figsize=(4.2 * ABREAST, 2.6 * lines), layout="constrained")
    places = figure.subfigures(lines, ABREAST, squeeze=False).ravel()
    for place, (kind, pair) in zip(places, shown, strict=False):
        place.suptitle(f"{kind}, similarity {pair.similarity:.2f}", fontsize=10)
        for axes, image_id in zip(place.subplots(1, 2), (pair.first, pair.second), strict=True):
            axes.imshow(images[number[image_id]])
            axes.set_title(f"{image_id}\n{label[image_id]}", fontsize=8, parse_math=False)
            axes.set_axis_off()
    return figure


def _spread(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return up to `SHOWN` of `pairs`, evenly spread over their order by similarity."""
    ordered = pairs.sort_values("similarity", kind="stable")
    places = np.linspace(0, len(ordered) - 1, min(SHOWN, len(ordered)))
    return ordered.iloc[np.unique(places.round().astype(int))]
