"""What generated images are worth for training: a classifier learns from them and is tested on real images."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medpeft.statistics.evaluate import PROBABILITY, evaluate
from medpeft.statistics.metrics import shown_in

STRENGTH = 1e-2  # inverse penalty, the same for all training sets, so that none is favoured by a search
SCORES = shown_in("downstream")
COLUMNS = ["trained_on", "n_train", *SCORES]


class Labelled(NamedTuple):
    """The features of images, float (N, channels), and the names of their classes, (N,)."""

    features: np.ndarray
    labels: np.ndarray


def classify(real: Labelled, generated: Labelled | None, test: Labelled) -> pd.DataFrame:
    """Return one row a training set with `COLUMNS`: `real`, `generated` and `both` images, tested on real ones.

    The classifier is a logistic regression on standardised features; the scores are those of
    `medpeft.statistics.evaluate`. A run that failed has no `generated` images and gaps in their rows; a dataset of a
    single class has no rows.
    """
    if len(set(real.labels) | set(test.labels)) < 2:
        return pd.DataFrame(columns=COLUMNS)
    sets = {"real": real, "generated": generated}
    sets["both"] = generated and Labelled(*map(np.concatenate, zip(real, generated, strict=True)))
    return pd.DataFrame([{"trained_on": name} | _scores(train, test) for name, train in sets.items()], columns=COLUMNS)


def _scores(train: Labelled | None, test: Labelled) -> dict:
    if train is None:
        return {"n_train": 0} | dict.fromkeys(SCORES, np.nan)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=2000))
    if len(set(train.labels)) < 2:  # a regression needs two
        classifier = DummyClassifier()
    classifier.fit(train.features, train.labels)
    probabilities = pd.DataFrame(classifier.predict_proba(test.features), columns=classifier.classes_)
    classes = sorted({*classifier.classes_, *test.labels})
    # A class that no training image is of is never predicted.
    predictions = probabilities.reindex(columns=classes, fill_value=0.0).add_prefix(PROBABILITY)
    found = evaluate(predictions.assign(label=test.labels), {"status": "ok", "n_train": len(train.labels)})
    return {name: found[name] for name in ["n_train", *SCORES]}
