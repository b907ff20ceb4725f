"""One run: fine-tune a backbone on one subset, keep the delta, predict the test images once with what was kept."""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file

from medpeft.base.errors import RunFailed
from medpeft.data.images import Split
from medpeft.methods.registry import load
from medpeft.networks.delta import load_delta, save_delta
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.memory import memory_errors, peak_memory
from medpeft.networks.models import count_parameters, encoder_kind
from medpeft.training.classification import Recipe, fit, network, predict


@dataclass(frozen=True)
class Outcome:
    """What a run found: test predictions, history, costs, and `ok` or the reason of its failure."""

    predictions: pd.DataFrame
    history: pd.DataFrame
    cost: dict
    status: str


def finetune(
    backbone: str,
    method: str,
    weights: Path,
    classes: list[str],
    parts: dict[str, Split],
    recipe: Recipe,
    learning_rate: float | None,
    seed: int,
    adapter: Path,
    checkpoint: Path,
) -> Outcome:
    """Fine-tune on `parts["train"]`, write the delta to `adapter`, and return the `Outcome` on `parts["test"]`.

    The test predictions are made by a new network with the delta read back from the file, so that what is published
    is what was scored; where the method has an `export`, that network is exported to the folder `exported` beside it.
    A run that fails (memory, a loss that is no number, no learning rate) writes an empty adapter.
    """
    fix_arithmetic(recipe.threads, recipe.device)
    method = load(method)
    before = peak_memory(recipe.device)
    exported = adapter.with_name("exported")
    shutil.rmtree(exported, ignore_errors=True)  # of an earlier run
    make = partial(network, backbone, method, weights, len(classes))
    model, recipe = make(recipe, seed)
    cost = count_parameters(model) | {"arithmetic": recipe.precision}
    try:
        if learning_rate is None:
            raise RunFailed("no learning rate of the search gave a finite loss")
        result = fit(model, parts["train"], parts["validation"], recipe, learning_rate, seed, checkpoint)
        memory = peak_memory(recipe.device) - before
        save_delta(adapter, result.best)
        with memory_errors():
            reloaded, _ = make(recipe, seed)
            load_delta(reloaded.to(recipe.device), load_file(adapter))
            predictions = _predictions(reloaded, parts["test"], recipe, classes)
        if export := method.definitions[encoder_kind(reloaded)].export:
            export(reloaded, exported)
    except RunFailed as failure:
        save_delta(adapter, {})
        return Outcome(_no_predictions(), pd.DataFrame(), cost, f"failed: {failure}")
    cost |= {
        "adapter_bytes": adapter.stat().st_size,
        "micro_batch": result.micro_batch,
        "train_seconds": result.train_seconds,
        "images_per_second": result.images_seen / result.train_seconds,
        "peak_memory_bytes": memory,
    }
    return Outcome(predictions, pd.DataFrame(result.history), cost, "ok")


def _no_predictions() -> pd.DataFrame:
    return pd.DataFrame(columns=["image_id", "cluster", "label"])


def _predictions(model: torch.nn.Module, part: Split, recipe: Recipe, classes: list[str]) -> pd.DataFrame:
    probabilities = predict(model, part, recipe).double().softmax(1).numpy()
    columns = {f"probability_{name}": probabilities[:, index] for index, name in enumerate(classes)}
    return part.rows[["image_id", "cluster", "label"]].assign(**columns)
