"""All runs of a study in one table."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.files import read_json
from medpeft.base.runs import CELL, Run
from medpeft.statistics.metrics import METRICS, shown_in

# What FID and KID were measured with, and what they are read against.
REFERENCE_COLUMNS = [
    "feature_extractor",
    "features",
    *(f"floor_{metric}{end}" for metric in shown_in("floor") for end in ("", "_low", "_high")),
    "floor_images",
    "floor_draws",
    "floor_pool",
]
RUN_COLUMNS = [
    "experiment",
    "task",
    "dataset",
    "backbone",
    "method",
    "family",
    "fraction",
    "n_train",
    "n_test",
    "seed",
    "learning_rate",
    *METRICS,
    *REFERENCE_COLUMNS,
    "trainable_parameters",
    "total_parameters",
    "adapter_bytes",
    "train_seconds",
    "images_per_second",
    "peak_memory_bytes",
    "device",
    "status",
]


def collect_runs(
    experiments: Mapping[str, list[str]],
    metrics: Mapping[str, dict],
    records: Mapping[str, dict],
    memorisations: Mapping[str, dict],
) -> pd.DataFrame:
    """Return one row for each experiment and run, with the columns `RUN_COLUMNS`; what does not apply is empty.

    Args:
        experiments: The paths of the runs of each experiment, as `Run.path` gives them.
        metrics: The content of `metrics.json` by such a path.
        records: The content of `record.json`, likewise.
        memorisations: The content of `memorisation.json` of the runs that generate images, likewise.

    Raises:
        UserError: A run has no files.
    """
    missing = sorted({run for runs in experiments.values() for run in runs} - (metrics.keys() & records.keys()))
    if missing:
        raise UserError(f"{len(missing)} runs of the study have no metrics, the first {missing[0]}: run them first")
    rows = [
        {"experiment": experiment} | _row(run, metrics[run], records[run], memorisations.get(run))
        for experiment, runs in experiments.items()
        for run in runs
    ]
    return pd.DataFrame(rows).reindex(columns=RUN_COLUMNS)


def read_runs(files: Iterable[str | Path]) -> dict[str, dict]:
    """Return the content of one JSON file a run, by the run's path."""
    return {Run.of(file).path: read_json(file) for file in files}


def distinct(runs: pd.DataFrame, task: str = "classification") -> pd.DataFrame:
    """Return the runs of a task in `runs.csv` with one row a run, where experiments share runs."""
    return runs[runs["task"] == task].drop_duplicates([*CELL, "seed"])


def runs_in(table: pd.DataFrame) -> list[Run]:
    """Return the run of each row of `runs.csv`."""
    return [
        Run(dataset, backbone, method, f"{fraction:g}", str(seed))
        for dataset, backbone, method, fraction, seed in table[[*CELL, "seed"]].itertuples(index=False)
    ]


def chosen(runs: pd.DataFrame, files: Iterable[str | Path]) -> pd.DataFrame:
    """Return those rows of `runs.csv` whose run has one of `files` in its folder."""
    paths = {Run.of(file).path for file in files}
    return runs[[run.path in paths for run in runs_in(runs)]]


def _row(run: str, metrics: dict, record: dict, memorisation: dict | None) -> dict:
    named = Run.named(run)
    return (
        {
            "task": record.get("task", "classification"),
            **named.cell,
            "family": record["method"]["family"],
            "seed": int(named.seed),
            "learning_rate": record["asked"]["learning_rate"],
            "device": record["device"],
        }
        | record["cost"]
        | metrics
        | ({"memorised": memorisation["memorised"]} if memorisation else {})
    )
