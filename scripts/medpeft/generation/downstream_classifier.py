"""What generated images are worth for training: a classifier learns from them and is tested on real images."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medpeft.generation.features import Extractor, generated_features
from medpeft.statistics.evaluate import evaluate
from medpeft.statistics.metrics import can_choose
from medpeft.statistics.scoring.predictions import PROBABILITY

INVERSE_PENALTY = 1e-2  # of the regression, the same for all training sets: a search would favour some of them
DOWNSTREAM_METRICS = can_choose()  # whichever is primary, and what its table shows besides
DOWNSTREAM_COLUMNS = ["trained_on", "n_train", *DOWNSTREAM_METRICS]


class Labelled(NamedTuple):
    """The features of images, float (N, channels), and the names of their classes, (N,)."""

    features: np.ndarray
    labels: np.ndarray


def real_sets(rows: pd.DataFrame, features: np.ndarray) -> tuple[Labelled, Labelled]:
    """Return the real images of a run, for training and for testing.

    Args:
        rows: the images of the run, as `medpeft.data.subset.members` returns them.
        features: those of all images of the dataset, (N, channels).
    """
    train, test = (
        Labelled(features[images["row"]], images["label"].to_numpy(str))
        for images in (rows[rows["split"] == name] for name in ("train", "test"))
    )
    return train, test


def generated_set(folder: Path, files: pd.DataFrame, extractor: Extractor) -> Labelled:
    """Return the generated images of a run.

    Args:
        folder: where they lie.
        files: their `file` in it and their `label`.
        extractor: the network that gave the real images their features.
    """
    found = generated_features(folder, list(files["file"]), extractor)
    return Labelled(found, files["label"].to_numpy(str))


def classify(real: Labelled, generated: Labelled | None, test: Labelled) -> pd.DataFrame:
    """Return the metrics on real images of a classifier that learned from each of three training sets.

    The classifier is a logistic regression on standardised features; the metrics are those of
    `medpeft.statistics.evaluate`.

    Args:
        real: real images for training.
        generated: generated ones; None where the run failed.
        test: real images for testing.

    Returns:
        One row a training set, `real`, `generated` and `both`, with `DOWNSTREAM_COLUMNS`. A run that failed has gaps
        in the rows of generated images; a dataset of a single class has no rows.
    """
    if len(set(real.labels) | set(test.labels)) < 2:
        return pd.DataFrame(columns=DOWNSTREAM_COLUMNS)
    sets = {"real": real, "generated": generated}
    sets["both"] = generated and Labelled(*map(np.concatenate, zip(real, generated, strict=True)))
    rows = [{"trained_on": name} | _metrics(train, test) for name, train in sets.items()]
    return pd.DataFrame(rows, columns=DOWNSTREAM_COLUMNS)


def _metrics(train: Labelled | None, test: Labelled) -> dict:
    if train is None:
        return {"n_train": 0} | dict.fromkeys(DOWNSTREAM_METRICS, np.nan)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=INVERSE_PENALTY, max_iter=2000))
    if len(set(train.labels)) < 2:  # a regression needs two
        classifier = DummyClassifier()
    classifier.fit(train.features, train.labels)
    probabilities = pd.DataFrame(classifier.predict_proba(test.features), columns=classifier.classes_)
    classes = sorted({*classifier.classes_, *test.labels})
    # A class that no training image is of is never predicted.
    predictions = probabilities.reindex(columns=classes, fill_value=0.0).add_prefix(PROBABILITY)
    found = evaluate(predictions.assign(label=test.labels), {"status": "ok", "n_train": len(train.labels)})
    return {name: found[name] for name in ["n_train", *DOWNSTREAM_METRICS]}
