"""What a dataset and its split hold, and what they leak from training into test."""

from itertools import combinations

import numpy as np
import pandas as pd

from medpeft.data.split import SPLITS, clusters, split

COLUMNS = ["protocol", "measure", "scope", "label", "value"]


def audit(
    manifest: pd.DataFrame,
    pairs: pd.DataFrame,
    table: pd.DataFrame,
    protocol: str,
    seed: int,
    sizes: tuple[int, int, int] | None = None,
) -> pd.DataFrame:
    """Return the audit of the split `table`, made under `protocol`, and of the published, image-level one beside it.

    One row a number. `protocol` is `grouped` or `paper`, or empty for the dataset as a whole; `scope` is `all`, a part,
    `dropped` (by the policy on duplicates), or two parts as `train-test`; `label` is a class or empty. `measure` is

    - `images`, `groups` (distinct group_id) and `clusters`, per part;
    - `exact_pairs`, `near_pairs` and `contradicting_pairs` (of differing labels), within a part or across two;
    - `shared_groups`: group_ids found in both parts;
    - `leaked_images`: images of the second part that have a duplicate or a group member in the first;
    - `majority_right` and `source_right`, where the manifest tells sources: images of a part that a model gets right
      which always answers the most frequent class in training, or the most frequent of the image's source.

    The published split is drawn anew from all images, duplicates included, with `sizes` and `seed`.
    """
    images = manifest.assign(cluster=clusters(manifest, pairs))
    rows = _counts("", "all", images) + _pairs("", "all", pairs)
    splits = {protocol: table}
    if protocol != "paper":
        splits["paper"] = split(manifest, pairs, "paper", seed=seed, sizes=sizes)
    for name, parts in splits.items():
        rows += _one_split(name, images, pairs, parts.set_index("image_id")["split"])
    return pd.DataFrame(rows, columns=COLUMNS)


def _one_split(protocol: str, images: pd.DataFrame, pairs: pd.DataFrame, part_of: pd.Series) -> list[tuple]:
    """Return the rows of one split; `part_of` maps image_id to its part and lacks dropped images."""
    part = images["image_id"].map(part_of)
    ends = pairs["first"].map(part_of), pairs["second"].map(part_of)
    rows = _per_label(protocol, "images", "dropped", images.loc[part.isna(), "label"])
    for name in SPLITS:
        rows += _counts(protocol, name, images[part == name])
        rows += _pairs(protocol, name, pairs[(ends[0] == name) & (ends[1] == name)])
    for one, other in combinations(SPLITS, 2):
        scope = f"{one}-{other}"
        across = ((ends[0] == one) & (ends[1] == other)) | ((ends[0] == other) & (ends[1] == one))
        left, right = images[part == one], images[part == other]
        shared = set(left["group_id"]) & set(right["group_id"])
        copies = set(pairs.loc[across, "first"]) | set(pairs.loc[across, "second"])
        leaked = right["group_id"].isin(shared) | right["image_id"].isin(copies)
        rows += _pairs(protocol, scope, pairs[across])
        rows += [(protocol, "shared_groups", scope, "", len(shared))]
        rows += _per_label(protocol, "leaked_images", scope, right.loc[leaked, "label"])
    return rows + (_shortcut(protocol, images, part) if "source" in images else [])


def _shortcut(protocol: str, images: pd.DataFrame, part: pd.Series) -> list[tuple]:
    """Return how many images two models get right that see no image: see `audit`."""
    train = images[part == SPLITS[0]]
    majority = train["label"].mode()[0]
    of_source = train.groupby("source")["label"].agg(lambda labels: labels.mode()[0])
    rows = []
    for name in SPLITS[1:]:
        rest = images[part == name]
        answers = {"majority_right": majority, "source_right": rest["source"].map(of_source).fillna(majority)}
        rows += [
            (protocol, measure, name, "", int((rest["label"] == answer).sum())) for measure, answer in answers.items()
        ]
    return rows


def _counts(protocol: str, scope: str, images: pd.DataFrame) -> list[tuple]:
    return [
        *_per_label(protocol, "images", scope, images["label"]),
        (protocol, "groups", scope, "", images["group_id"].nunique()),
        (protocol, "clusters", scope, "", images["cluster"].nunique()),
    ]


def _per_label(protocol: str, measure: str, scope: str, labels: pd.Series) -> list[tuple]:
    per_label = [
        (protocol, measure, scope, label, count) for label, count in labels.value_counts().sort_index().items()
    ]
    return [(protocol, measure, scope, "", len(labels)), *per_label]


def _pairs(protocol: str, scope: str, pairs: pd.DataFrame) -> list[tuple]:
    return [
        (protocol, "exact_pairs", scope, "", int((pairs["kind"] == "exact").sum())),
        (protocol, "near_pairs", scope, "", int((pairs["kind"] == "near").sum())),
        (protocol, "contradicting_pairs", scope, "", int((~pairs["same_label"]).sum())),
    ]


def picture(images: np.ndarray, manifest: pd.DataFrame, pairs: pd.DataFrame, each: int = 3):
    """Return a matplotlib figure of up to `each` exact, near and contradicting pairs of `images` (N, H, W, 3) uint8.

    Near and contradicting pairs are spread from the least to the most similar. A dataset without duplicates gives a
    figure that says so.
    """
    from matplotlib.figure import Figure

    kinds = {
        "exact": pairs[(pairs["kind"] == "exact") & pairs["same_label"]],
        "near": pairs[(pairs["kind"] == "near") & pairs["same_label"]],
        "contradicting labels": pairs[~pairs["same_label"]],
    }
    rows = [(kind, pair) for kind, found in kinds.items() for pair in _spread(found, each).itertuples()]
    if not rows:
        figure = Figure(figsize=(6, 1.5), layout="constrained")
        figure.text(0.5, 0.5, f"No duplicates among {len(manifest):,} images.", ha="center", va="center", fontsize=12)
        return figure
    return _draw(rows, images, manifest)


def _draw(rows: list[tuple], images: np.ndarray, manifest: pd.DataFrame):
    from matplotlib.figure import Figure

    number = pd.Series(range(len(manifest)), index=manifest["image_id"])
    label = manifest.set_index("image_id")["label"]
    columns = 3
    figure = Figure(figsize=(4.2 * columns, 2.6 * -(-len(rows) // columns)), layout="constrained")
    grid = figure.subfigures(-(-len(rows) // columns), columns, squeeze=False).ravel()
    for place, (kind, pair) in zip(grid, rows, strict=False):
        place.suptitle(f"{kind}, similarity {pair.similarity:.2f}", fontsize=10)
        for axes, image_id in zip(place.subplots(1, 2), (pair.first, pair.second), strict=True):
            axes.imshow(images[number[image_id]])
            axes.set_title(f"{image_id}\n{label[image_id]}", fontsize=8)
            axes.set_axis_off()
    return figure


def _spread(pairs: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return up to `number` of `pairs`, evenly spread over their order by similarity."""
    ordered = pairs.sort_values("similarity", kind="stable")
    return ordered.iloc[np.unique(np.linspace(0, len(ordered) - 1, min(number, len(ordered))).round().astype(int))]
