"""What a run leaves beside its adapter: predictions, a history, and the record of what was asked and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medpeft.base.files import write_json, write_table
from medpeft.methods.registry import load
from medpeft.pipeline.provenance import provenance
from medpeft.training.outcome import Outcome


@dataclass(frozen=True)
class Request:
    """What a run was asked for, and what it was made from.

    Attributes:
        task: `classification` or `text-to-image`.
        asked: What distinguishes the run: its dataset, backbone, method, fraction and seed, its recipe and its
            learning rate.
        study: Those settings of the study that a reader of the record wants to know.
        config: All settings of the study, as given.
        inputs: The files that it read.
    """

    task: str
    asked: dict[str, Any]
    study: dict[str, Any]
    config: dict[str, Any]
    inputs: Sequence[str | Path]


def write_run(outputs: dict[str, str], request: Request, outcome: Outcome) -> None:
    """Write what a run found beside its adapter.

    Args:
        outputs: The files of the run by name: `adapter`, which is there already, `history`, `record` and, where there
            is anything to predict, `predictions` and `validation_predictions`.
        request: What it was asked for.
        outcome: What it found.
    """
    for name in ("predictions", "validation_predictions"):
        if (table := getattr(outcome, name)) is not None:
            write_table(outputs[name], table)
    write_table(outputs["history"], outcome.history)
    finished = [path for name, path in outputs.items() if name != "record"]
    write_json(outputs["record"], record(request, outcome, finished))


def record(request: Request, outcome: Outcome, outputs: Sequence[str | Path]) -> dict[str, Any]:
    """Return the record of a run; `outputs` are the other files that it left."""
    return {
        "asked": request.asked,
        "study": request.study,
        "method": load(request.asked["method"]).entry(),
        "task": request.task,
        "n_train": outcome.n_train,
        "cost": outcome.cost,
        "device": request.asked["recipe"]["device"],
        "provenance": provenance(request.config, request.inputs, outputs),
        "status": outcome.status,
    }
