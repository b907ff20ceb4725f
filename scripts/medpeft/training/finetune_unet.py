"""Fine-tuning of a pipeline's U-Net, and what it leaves: the delta, a history, costs."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from medpeft.base.errors import RunFailed
from medpeft.methods.registry import load
from medpeft.networks.delta import delta, save_delta
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.diffusion import adapted_unet
from medpeft.networks.memory import peak_memory
from medpeft.networks.models import count_parameters, encoder_kind
from medpeft.training.captioned import Pairs
from medpeft.training.unet import UnetRecipe, fit_unet


@dataclass(frozen=True)
class Outcome:
    """What a run found: its history, its costs, and `ok` or the reason of its failure."""

    history: pd.DataFrame
    cost: dict
    status: str


def finetune_unet(
    pipeline: Path,
    method: str,
    train: Pairs,
    recipe: UnetRecipe,
    learning_rate: float,
    seed: int,
    adapter: Path,
    checkpoint: Path,
) -> Outcome:
    """Fine-tune the U-Net of the folder `pipeline` on the pairs `train`, write the delta to `adapter`, say how it went.

    A method that trains nothing takes no time. Where it has an `export`, what was trained is exported to the folder
    `exported` beside the adapter. A run that fails (memory, a loss that is no number) writes an empty adapter.
    """
    fix_arithmetic(recipe.threads, recipe.device)
    method = load(method)
    before = peak_memory(recipe.device)
    exported = adapter.with_name("exported")
    shutil.rmtree(exported, ignore_errors=True)  # of an earlier run
    torch.manual_seed(seed)
    unet = adapted_unet(pipeline, method)
    cost = count_parameters(unet)
    if not cost["trainable_parameters"]:
        save_delta(adapter, {})
        return Outcome(pd.DataFrame(), cost | {"adapter_bytes": adapter.stat().st_size, "train_seconds": 0.0}, "ok")
    try:
        result = fit_unet(unet, pipeline, train, recipe, learning_rate, seed, checkpoint)
    except RunFailed as failure:
        save_delta(adapter, {})
        return Outcome(pd.DataFrame(), cost, f"failed: {failure}")
    memory = peak_memory(recipe.device) - before
    save_delta(adapter, {name: tensor.cpu() for name, tensor in delta(unet).items()})
    if export := method.definitions[encoder_kind(unet)].export:
        export(unet, exported)
    cost |= {
        "adapter_bytes": adapter.stat().st_size,
        "micro_batch": result.micro_batch,
        "train_seconds": result.train_seconds,
        "images_per_second": recipe.steps * recipe.batch_size / result.train_seconds,
        "peak_memory_bytes": memory,
    }
    return Outcome(pd.DataFrame(result.history), cost, "ok")
