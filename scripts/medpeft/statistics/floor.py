"""What knowing nothing of an image scores: always the majority class, with the class shares as probabilities."""

import numpy as np
import pandas as pd

from medpeft.data.labels import Labels
from medpeft.statistics.columns import FLOOR_COLUMNS
from medpeft.statistics.metrics import can_choose, score
from medpeft.statistics.scoring.predictions import PROBABILITY, scored


def floor(dataset: str, rows: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Return the scores on the test images of a classifier that knows the training labels and no image.

    Its probabilities are the shares of the classes among the training images, so that it predicts the most frequent
    one. Where images may have several labels, each class is predicted that half of the training images have or more.

    Args:
        dataset: The name of the dataset.
        rows: The images: split (train, validation or test), label and, of several labels, unknown.
        labels: Of what kind they are, with the classes in the order of the outputs of a classifier.

    Returns:
        One row a metric that needs no threshold: dataset, metric, score (NaN where undefined), majority (the class).
    """
    train, test = (rows[rows["split"] == name] for name in ("train", "test"))
    found = scored(_with_shares(train, dict.fromkeys(labels.classes, 0.0)), labels)
    shares = (found.labels & found.counted).sum(axis=0) / np.maximum(found.counted.sum(axis=0), 1)
    guessed = scored(_with_shares(test, dict(zip(labels.classes, shares, strict=True))), labels)
    majority = labels.classes[int(shares.argmax())]
    table = [(dataset, name, score(name, guessed), majority) for name in can_choose(labels.task)]
    return pd.DataFrame(table, columns=FLOOR_COLUMNS)


def _with_shares(rows: pd.DataFrame, shares: dict[str, float]) -> pd.DataFrame:
    return rows.assign(**{f"{PROBABILITY}{name}": share for name, share in shares.items()})
