"""All runs of a study in one table."""

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.runs import CELL, Run

COLUMNS = [
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
    "accuracy",
    "f1_micro",
    "f1_macro",
    "f1_weighted",
    "balanced_accuracy",
    "auroc",
    "average_precision",
    "ece",
    "brier",
    "fid",
    "kid",
    "precision",
    "recall",
    "memorised",
    "feature_extractor",
    "features",
    "floor_fid",
    "floor_kid",
    "floor_images",
    "trainable_parameters",
    "total_parameters",
    "adapter_bytes",
    "train_seconds",
    "images_per_second",
    "peak_memory_bytes",
    "device",
    "status",
]


def collect(experiments: dict[str, list[str]], metrics: dict[str, dict], records: dict[str, dict]) -> pd.DataFrame:
    """Return one row for each experiment and run, with the columns `COLUMNS`; what does not apply is empty.

    `experiments` maps the name of each to its runs, `<dataset>/<backbone>/<method>/<fraction>/<seed>`; `metrics` and
    `records` map a run to the content of its files. Raises `UserError` where a run has no files.
    """
    missing = sorted({run for runs in experiments.values() for run in runs} - (metrics.keys() & records.keys()))
    if missing:
        raise UserError(f"{len(missing)} runs of the study have no metrics, the first {missing[0]}: run them first")
    rows = [
        {"experiment": experiment} | _row(run, metrics[run], records[run])
        for experiment, runs in experiments.items()
        for run in runs
    ]
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def distinct(runs: pd.DataFrame, task: str = "classification") -> pd.DataFrame:
    """Return the runs of a task in `runs.csv` with one row a run, where experiments share runs."""
    return runs[runs["task"] == task].drop_duplicates([*CELL, "seed"])


def _row(run: str, metrics: dict, record: dict) -> dict:
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
    )
