"""One run of a U-Net: fine-tune that of a diffusion pipeline on one subset, and keep the delta."""

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
from medpeft.networks.models import count_parameters
from medpeft.training.captioned import CaptionedLatents
from medpeft.training.outcome import Cost, Outcome, RunFiles, costs, export, failed
from medpeft.training.unet import UnetRecipe, fit_unet


@dataclass(frozen=True)
class TunedUnet:
    """What is fine-tuned: the U-Net of the diffusion pipeline in a folder, under a method."""

    diffusion_pipeline: Path
    method: str


def finetune_unet(
    tuned: TunedUnet,
    train: CaptionedLatents,
    recipe: UnetRecipe,
    learning_rate: float,
    seed: int,
    files: RunFiles,
) -> Outcome:
    """Fine-tune a U-Net, write the delta, and return the outcome.

    A method that trains nothing takes no time. Where it has an `export`, what was trained is exported to the folder
    `exported` beside the adapter. A run that fails (memory, a loss or a weight that is not finite) writes an empty
    adapter.

    Args:
        tuned: What is fine-tuned.
        train: What it learns from.
        recipe: How to train.
        learning_rate: That of all parameters that have none of their own.
        seed: Of new parameters, and of the images, captions, times and noise of the steps.
        files: Where delta and checkpoint go.
    """
    fix_arithmetic(recipe.threads, recipe.device)
    method = load(tuned.method)
    before = peak_memory(recipe.device)
    files.clear()
    torch.manual_seed(seed)
    unet = adapted_unet(tuned.diffusion_pipeline, method)
    n_train = len(train.rows)
    cost: Cost = {**count_parameters(unet)}
    if not cost["trainable_parameters"]:
        save_delta(files.adapter, {})
        cost |= {"adapter_bytes": files.adapter.stat().st_size, "train_seconds": 0.0}
        return Outcome(n_train, pd.DataFrame(), cost)
    try:
        course = fit_unet(unet, tuned.diffusion_pipeline, train, recipe, learning_rate, seed, files.checkpoint)
    except RunFailed as failure:
        return failed(failure, n_train, cost, files)
    memory = peak_memory(recipe.device) - before
    save_delta(files.adapter, {name: tensor.cpu() for name, tensor in delta(unet).items()})
    export(unet, method, files)
    cost |= costs(files, course, memory)
    return Outcome(n_train, pd.DataFrame(course.history), cost)
