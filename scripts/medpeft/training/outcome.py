"""What a fine-tuning leaves, of a classifier or of a U-Net: its files, its history, its costs, its status."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from torch import nn

from medpeft.base.errors import RunFailed
from medpeft.base.files import set_modes
from medpeft.methods.registry import Method
from medpeft.networks.delta import save_delta
from medpeft.networks.models import encoder_kind
from medpeft.training.loop import Course

Cost = dict[str, int | float | str]


@dataclass(frozen=True)
class RunFiles:
    """Where a run writes its delta, and the checkpoint from which it goes on after a kill."""

    adapter: Path
    checkpoint: Path

    @property
    def exported(self) -> Path:
        """The folder of what was trained in the format of another library."""
        return self.adapter.with_name("exported")

    def clear(self) -> None:
        """Remove what an earlier run exported."""
        shutil.rmtree(self.exported, ignore_errors=True)


@dataclass(frozen=True)
class Outcome:
    """What a run found.

    Attributes:
        n_train: How many images it was trained on.
        history: One row a validation or report.
        cost: Parameters, seconds, bytes.
        status: `ok`, or the reason of its failure.
        predictions: Of the test images, where there are any to predict.
        validation_predictions: Of the validation images, likewise.
    """

    n_train: int
    history: pd.DataFrame
    cost: Cost
    status: str = "ok"
    predictions: pd.DataFrame | None = None
    validation_predictions: pd.DataFrame | None = None


def costs(files: RunFiles, course: Course, memory: int) -> Cost:
    """Return what a finished training cost; `memory` are the bytes that it took at most."""
    return {
        "adapter_bytes": files.adapter.stat().st_size,
        "micro_batch": course.micro_batch,
        "train_seconds": course.train_seconds,
        "images_per_second": course.images_seen / course.train_seconds,
        "peak_memory_bytes": memory,
    }


def export(model: nn.Module, method: Method, files: RunFiles) -> None:
    """Export what was trained in `model`, where the method knows the format of another library."""
    if write := method.definitions[encoder_kind(model)].export:
        write(model, files.exported)
        set_modes(files.exported)


def failed(failure: RunFailed, n_train: int, cost: Cost, files: RunFiles) -> Outcome:
    """Write an empty adapter, and return the outcome of a run that failed."""
    save_delta(files.adapter, {})
    return Outcome(n_train, pd.DataFrame(), cost, f"failed: {failure}")
