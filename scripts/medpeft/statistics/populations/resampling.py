"""Scores of resampled test images, of which the variance over test images follows.

Images of one cluster (a patient, or duplicates of one picture) are drawn together.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from medpeft.base.files import read_json, read_table
from medpeft.base.runs import Run
from medpeft.data.labels import MULTI_CLASS, Labels, labels_in
from medpeft.statistics.bootstrap import RESAMPLES, cluster_weights
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.scoring.predictions import Decision, scored
from medpeft.statistics.scoring.scored import Scored


class Drawn(NamedTuple):
    """The images of a test set, and how often each counts in each resample.

    Attributes:
        image_ids: Sorted, text.
        clusters: The cluster of each image, from 0.
        weights: Float (1 + resamples, images); row 0 counts each image once.
    """

    image_ids: list[str]
    clusters: np.ndarray
    weights: np.ndarray

    def of(self, images: np.ndarray) -> "Drawn":
        """Return the part of it that is of some `images`, bool (images,)."""
        ids = [name for name, chosen in zip(self.image_ids, images, strict=True) if chosen]
        return Drawn(ids, self.clusters[images], self.weights[:, images])

    @property
    def size(self) -> int:
        """How many clusters there are."""
        return len(np.unique(self.clusters))


@dataclass(frozen=True)
class Predicted:
    """The predictions of a run, and how they are scored.

    Attributes:
        table: As `predictions.csv` has them.
        labels: Of what kind its labels are.
        decision: The thresholds and the temperature that its validation images chose.
    """

    table: pd.DataFrame
    labels: Labels = MULTI_CLASS
    decision: Decision | None = None

    def scored(self, resampled: Drawn) -> Scored:
        """Return them for the images that are `resampled`, as metrics take them."""
        found = scored(self.table.set_index("image_id").loc[resampled.image_ids], self.labels, resampled.weights)
        return self.decision.applied(found) if self.decision else found


def predicting(validations: Iterable[str], records: Iterable[str]) -> Callable[[Run, pd.DataFrame], Predicted]:
    """Return a function that says how predictions of a run are scored, for its own test images or others.

    Args:
        validations: The paths of the `validation_predictions.csv` of all runs.
        records: Those of their `record.json`.
    """
    of_validation, of_record = ({Run.of(path): path for path in paths} for paths in (validations, records))

    @cache
    def decided(run: Run) -> tuple[Labels, Decision]:
        labels = labels_in(read_json(of_record[run]))
        return labels, Decision.on(scored(read_table(of_validation[run]), labels))

    return lambda run, table: Predicted(table, *decided(run))


def drawn(images: pd.DataFrame, name: str, resamples: int = RESAMPLES) -> Drawn:
    """Return resamples of `images` (image_id, cluster), which `name` seeds."""
    images = images.sort_values("image_id")
    clusters = pd.factorize(images["cluster"])[0]
    weights = cluster_weights(name, clusters.max() + 1, resamples)
    return Drawn(images["image_id"].tolist(), clusters, weights[:, clusters])


def score_draws(metric: str, tables: Iterable[Predicted], resampled: Drawn) -> np.ndarray:
    """Return the scores of the predictions of several seeds, float (seeds, 1 + resamples); NaN where undefined.

    Args:
        metric: Its name in `METRICS`, one that follows from predictions.
        tables: The predictions of each seed, of which those for other images are left out.
        resampled: The images that are scored.
    """
    function = METRICS[metric].function
    assert function is not None
    return np.array([function(predicted.scored(resampled)) for predicted in tables])
