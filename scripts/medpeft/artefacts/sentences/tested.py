"""What the records of a study tell of its tests, for checklists: classes, subgroups, other datasets and mistakes."""

import numpy as np
import pandas as pd

from medpeft.artefacts.card import Numbers, counted
from medpeft.artefacts.markup import interval, number
from medpeft.artefacts.palette import style
from medpeft.artefacts.sentences.told import Told
from medpeft.artefacts.words import plain, share
from medpeft.base.frames import each_group, each_row, row_at
from medpeft.data.labels import LabelKind
from medpeft.statistics.metrics import METRICS


def rare_classes(told: Told) -> str:
    """Return how rare the rarest class is, and whether the loss weighs classes."""
    if told.scores.empty:
        return ""
    rarest = told.of_each(_rarest)
    weights = {"none": "no class weighs more in the loss", "balanced": "rare classes weigh more in the loss"}
    return f"{rarest}; {weights[told.settings['recipe']['class_weights']]}" if rarest else ""


def _rarest(_: str, get: Numbers) -> str:
    counts = {label: get("", "images", "all", label) for label in get.labels}
    known = {label: count for label, count in counts.items() if count}
    if not known:
        return ""
    label = min(known, key=lambda name: known[name])
    return f"rarest class {label}, {share(known[label] / get('', 'images', 'all'))} of the images"


OUTPUTS: dict[LabelKind, str] = {
    "multi-class": "a probability of each class by softmax; the most probable class is predicted",
    "binary": "a probability of each of two classes by softmax; the more probable one is predicted",
    "ordinal": "a probability of each grade by softmax; the most probable grade is predicted",
    "multi-label": "a probability of each label by the logistic function; labels from 0.5 on are predicted",
}


def output(told: Told) -> str:
    """Return what a classifier gives, for each dataset."""
    return "" if told.scores.empty else told.of_each(lambda name, _: OUTPUTS[told.datasets[name].labels])


def internal(told: Told) -> str:
    """Return what images the runs were tested on."""
    if told.scores.empty:
        return ""
    runs = counted(int((told.runs["task"] == "classification").sum()), "run")
    return f"The test images of the split, of the dataset that was trained on, are predicted once by each of {runs}"


def external(told: Told) -> str:
    """Return on what other datasets the runs were tested."""
    sizes = told.external.drop_duplicates(["dataset", "other"])
    return "; ".join(
        f"{plain(row.dataset)}, tested on {plain(row.other)}: {counted(row.n_images, 'image')} of "
        f"{counted(row.n_clusters, 'cluster')}"
        for row in each_row(sizes)
    )


def subgroups(told: Told) -> str:
    """Return how many test images each subgroup has."""
    sizes = told.subgroups.drop_duplicates(["dataset", "attribute", "subgroup"])
    return "; ".join(
        f"test images of {plain(dataset)} by {plain(attribute)}: "
        + ", ".join(f"{row.subgroup} {row.n_images:,}" for row in each_row(rows))
        for (dataset, attribute), rows in each_group(sizes, ["dataset", "attribute"])
    )


def performance(told: Told) -> str:
    """Return the best score of each dataset and backbone by the primary metric."""
    best = _best(told)
    name = METRICS[told.settings["primary_metric"]].label
    return "; ".join(
        f"{plain(row['dataset'])}, {row['backbone']}: {name} at best {number(row['mean'])} "
        f"{interval(row.get('low', np.nan), row.get('high', np.nan))} ({style(row['method']).label})"
        for _, row in best.iterrows()
    )


def mistakes(told: Told) -> str:
    """Return the most frequent mistake of the method that has the best score, for each dataset and backbone."""
    wrong = told.confusions[told.confusions["label"] != told.confusions["predicted"]].dropna(subset=["share"])
    sentences = []
    for row in each_row(_best(told)):
        same = wrong[(wrong[["dataset", "backbone", "method"]] == [row.dataset, row.backbone, row.method]).all(axis=1)]
        if len(same):
            most = row_at(same, same["share"].idxmax())
            sentences.append(
                f"{plain(row.dataset)}, {row.backbone} ({style(row.method).label}): most often {most['label']} is "
                f"taken for {most['predicted']}, {share(most['share'])} of its test images"
            )
    return "; ".join(sentences)


def _best(told: Told) -> pd.DataFrame:
    """Return the row of `scores.csv` with the best score with the most training images, for each dataset and backbone.

    It is the best by the primary metric.
    """
    if told.scores.empty:
        return told.scores
    name = told.settings["primary_metric"]
    scores = told.scores[told.scores["metric"] == name].dropna(subset=["mean"])
    if scores.empty:
        return scores
    scores = scores[scores["fraction"] == scores.groupby(["dataset", "backbone"])["fraction"].transform("max")]
    gains = scores.assign(gain=METRICS[name].sign * scores["mean"])
    return scores.loc[gains.groupby(["dataset", "backbone"], sort=False)["gain"].idxmax()]
