"""What tables and figures are made of, read from the files of a study."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from medpeft.base.files import read_json, read_table
from medpeft.base.runs import Run, Search
from medpeft.statistics.columns import (
    CONFUSION_COLUMNS,
    CURVE_COLUMNS,
    FLOOR_COLUMNS,
    PRIMARY,
    RELIABILITY_COLUMNS,
    SCORE_COLUMNS,
)


@dataclass(frozen=True)
class Sources:
    """The tables and records of a study; an artefact gets those that it names, the others are empty.

    Attributes:
        runs, scores, comparisons, crossovers, overall, ranks, friedman, recommendations, parameters: The study's
            CSV files.
        generation_intervals, generation_comparisons: Those of text-to-image; see
            `medpeft.statistics.generated.compare_generated`.
        subgroups, gaps: Likewise, of subgroups of test images.
        external, external_differences: Likewise, of other datasets.
        other_scores: The scores of the study under the other protocol.
        splits: The protocols of this study and of that one.
        rate_scores: The scores of the study whose fractions share their rates where those of this one do not.
        rates_per_fraction: Whether fractions have their own rates, in this study and in that one.
        records: One run's `record.json` for each (dataset, backbone, method).
        searches: The trials and the choice of each search for a learning rate.
        memorisations: Each run's `memorisation.json`.
        downstreams: Each run's `downstream.csv`.
        floors: What knowing nothing of an image scores, for each dataset and metric.
        per_class, confusions, curves, reliability: The tables of `medpeft.statistics.classwise.Details`.
        primary: The metric that ranks and decides.
        published: The rows of each published table or figure, by its name.
    """

    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    comparisons: pd.DataFrame = field(default_factory=pd.DataFrame)
    crossovers: pd.DataFrame = field(default_factory=pd.DataFrame)
    ranks: pd.DataFrame = field(default_factory=pd.DataFrame)
    friedman: pd.DataFrame = field(default_factory=pd.DataFrame)
    recommendations: pd.DataFrame = field(default_factory=pd.DataFrame)
    overall: pd.DataFrame = field(default_factory=pd.DataFrame)
    parameters: pd.DataFrame = field(default_factory=pd.DataFrame)
    generation_intervals: pd.DataFrame = field(default_factory=pd.DataFrame)
    generation_comparisons: pd.DataFrame = field(default_factory=pd.DataFrame)
    subgroups: pd.DataFrame = field(default_factory=pd.DataFrame)
    gaps: pd.DataFrame = field(default_factory=pd.DataFrame)
    external: pd.DataFrame = field(default_factory=pd.DataFrame)
    external_differences: pd.DataFrame = field(default_factory=pd.DataFrame)
    other_scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    splits: list[str] = field(default_factory=list)
    rate_scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    rates_per_fraction: list[bool] = field(default_factory=list)
    records: dict[Search, dict] = field(default_factory=dict)
    searches: dict[Search, tuple[pd.DataFrame, dict]] = field(default_factory=dict)
    memorisations: dict[Run, dict] = field(default_factory=dict)
    downstreams: dict[Run, pd.DataFrame] = field(default_factory=dict)
    floors: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=FLOOR_COLUMNS))
    per_class: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SCORE_COLUMNS))
    confusions: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CONFUSION_COLUMNS))
    curves: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CURVE_COLUMNS))
    reliability: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=RELIABILITY_COLUMNS))
    primary: str = PRIMARY
    published: dict[str, pd.DataFrame] = field(default_factory=dict)


def read_sources(given: Mapping[str, Any]) -> Sources:
    """Return the sources in the files `given`, a path or a list of paths for each name."""
    read: dict[str, Any] = {name: READERS.get(name, read_table)(paths) for name, paths in given.items()}
    return Sources(**read)


def _searches(files: list[str]) -> dict[Search, tuple[pd.DataFrame, dict]]:
    """Return the trials and the choice of each search whose `trials.csv` is among `files`."""
    return {
        Search.of(path): (read_table(path), read_json(path.with_name("learning_rate.json")))
        for path in map(Path, files)
        if path.name == "trials.csv"
    }


def _per_fraction(record: dict) -> bool:
    """Tell whether the run of a `record` has a learning rate that was searched for its fraction."""
    return bool(record["study"]["tuning"].get("per_fraction", False))


# The others are CSV files.
READERS: dict[str, Callable[[Any], Any]] = {
    "floors": lambda paths: pd.concat([read_table(path) for path in paths], ignore_index=True),
    "primary": lambda name: name,
    "records": lambda paths: {Run.of(path).search(): read_json(path) for path in reversed(paths)},  # of the first run
    "searches": _searches,
    "splits": lambda paths: [read_json(path)["study"]["split"]["protocol"] for path in paths],
    "rates_per_fraction": lambda paths: [_per_fraction(read_json(path)) for path in paths],
    "memorisations": lambda paths: {Run.of(path): read_json(path) for path in paths},
    "downstreams": lambda paths: {Run.of(path): read_table(path) for path in paths},
    "published": lambda paths: {Path(path).stem: read_table(path) for path in paths},
}
