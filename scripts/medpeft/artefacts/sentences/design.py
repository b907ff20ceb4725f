"""What a study measures, and what is said of it only where it is not as usual."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from medpeft.artefacts.card import Numbers, labels_sentences
from medpeft.data.dataset import Dataset
from medpeft.statistics.columns import PRIMARY
from medpeft.statistics.metrics import METRICS

WEIGHTED = {
    False: "The loss weighs each class by the inverse of its number of training images.",
    True: "In the loss an image with a label weighs as many times more as there are more training images without it.",
}
UPDATED = (
    "Batches are normalised by their own statistics, which move the running ones of every BatchNorm; linear probing "
    "keeps the pretrained ones."
)


def score_sentence(settings: Mapping[str, Any], datasets: Collection[Dataset]) -> str:
    """Return which metric chooses, ranks and decides, and what else a reader may know it as."""
    name = settings["primary_metric"]
    metric = METRICS[name]
    several = any(dataset.labels == "multi-label" for dataset in datasets)
    remark = ", which equals accuracy where classes exclude each other" if name == PRIMARY else ""
    if name == PRIMARY and not several:
        remark = ", which equals accuracy here"
    if not metric.higher_is_better:
        remark += ", of which less is better"
    elsewhere = " It also chooses epoch and learning rate on validation." if name != PRIMARY else ""
    return f"The score is {metric.label}{remark}.{elsewhere}"


def policies(runs: pd.DataFrame, settings: Mapping[str, Any], datasets: Mapping[str, Dataset]) -> list[str]:
    """Return how classifiers are trained where it is not as usual: weights of classes, statistics of BatchNorms.

    Args:
        runs: The distinct runs of classifiers.
        settings: Those of the study.
        datasets: By name.
    """
    recipe = settings["recipe"]
    if runs.empty:
        return []
    weighted = sorted({datasets[name].labels == "multi-label" for name in runs["dataset"].unique()})
    sentences = [WEIGHTED[several] for several in weighted] if recipe["class_weights"] == "balanced" else []
    return sentences + [UPDATED] * (recipe["batchnorm"] == "updated")


def labels_told(dataset: Dataset, get: Numbers) -> str:
    """Return what kind of labels a dataset has, and how many of them are not known; nothing of several classes."""
    unknown = sum(get("", "unknown_labels", "all", label) for label in get.labels)
    masked = f"{unknown:,} labels are not known: they take no part in loss and scores."
    return " ".join([*labels_sentences(dataset.told_labels()), *[masked] * (unknown > 0)])
