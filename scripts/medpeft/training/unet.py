"""Training of a U-Net on latents and text embeddings: the loop, and its resumption after a kill."""

import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import DDPMScheduler
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.training_utils import EMAModel, compute_snr
from torch import Tensor, nn
from torch.nn import functional

from medpeft.base.errors import RunFailed
from medpeft.base.files import read_json, replacing
from medpeft.networks.delta import delta
from medpeft.networks.diffusion import noise_seed
from medpeft.networks.memory import as_fits, memory_errors
from medpeft.networks.precision import autocast
from medpeft.training.captioned import UNCONDITIONAL, Pairs
from medpeft.training.classification import CHECKPOINT_SECONDS, parameter_groups

CLIP = 1.0  # norm of the gradients at most
REPORTS = 50  # lines of the history and of the log over a training
LATENT_SCALE = 0.18215  # of autoencoders older than the setting, Stable Diffusion 1's among them


@dataclass(frozen=True)
class UnetRecipe:
    """How to fine-tune a U-Net; the study schema describes each field under `generation`."""

    steps: int
    batch_size: int
    micro_batch: int | None
    weight_decay: float
    caption_dropout: float
    min_snr_gamma: float | None
    ema_decay: float | None
    precision: str
    threads: int
    device: str


@dataclass
class UnetFit:
    """The course of a training: how many images at once, the steps done, mean losses, seconds."""

    micro_batch: int
    step: int = 0
    history: list[dict] = field(default_factory=list)
    train_seconds: float = 0.0


@dataclass(frozen=True)
class Batch:
    """What one step learns from: noisy latents and target (N, C, h, w), times and weights (N,), texts (N, L, width)."""

    noisy: Tensor
    times: Tensor
    texts: Tensor
    target: Tensor
    weights: Tensor

    def split(self, size: int) -> list["Batch"]:
        """Return the batch in pieces of `size`."""
        pieces = (tensor.split(size) for tensor in vars(self).values())
        return [Batch(*tensors) for tensors in zip(*pieces, strict=True)]


def fit_unet(
    unet: nn.Module,
    pipeline: Path,
    train: Pairs,
    recipe: UnetRecipe,
    learning_rate: float,
    seed: int,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> UnetFit:
    """Train what is trainable in `unet`, in place, to tell the noise in noisy latents (Ho et al. 2020, equation 14).

    AdamW at a constant rate, gradients clipped. Every random number of a step comes from the seed and the number of
    the step alone: with `checkpoint`, a path, an interrupted training goes on from its last saved step, bit-identical
    on a CPU; the caller removes the file. With `ema_decay` the weights are in the end the moving average of those of
    all steps. Raises `RunFailed` when memory runs out or the loss is not finite.
    """
    with memory_errors():
        loop = _Loop(unet, pipeline, train, recipe, learning_rate, seed)
        state = UnetFit(recipe.micro_batch or recipe.batch_size)
        if checkpoint and checkpoint.exists():
            state = loop.restore(checkpoint)
        saved = time.monotonic()
        while state.step < recipe.steps:
            _run_interval(loop, state)
            if checkpoint and time.monotonic() - saved >= checkpoint_seconds:
                loop.save(checkpoint, state)
                saved = time.monotonic()
        if loop.average:
            loop.average.copy_to(loop.trainable)
    if not all(parameter.isfinite().all() for parameter in loop.trainable):
        raise RunFailed(f"weights were not finite after step {state.step} at learning rate {learning_rate:g}")
    return state


class _Loop:
    """The moving parts of a training: optimiser, noise, moving average, gradient scale."""

    def __init__(
        self, unet: nn.Module, pipeline: Path, train: Pairs, recipe: UnetRecipe, learning_rate: float, seed: int
    ):
        self.unet = unet.to(recipe.device).train()
        self.train = train
        self.recipe = recipe
        self.seed = seed
        self.noise = DDPMScheduler.from_pretrained(pipeline / "scheduler", local_files_only=True)
        self.latent_scale = read_json(pipeline / "vae" / "config.json").get("scaling_factor", LATENT_SCALE)
        self.trainable = [parameter for parameter in unet.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(_groups(unet, recipe.weight_decay, learning_rate))
        self.scaler = torch.amp.GradScaler(recipe.device, enabled=recipe.precision == "fp16")
        self.average = EMAModel(self.trainable, decay=recipe.ema_decay) if recipe.ema_decay else None

    def save(self, path: Path, state: UnetFit) -> None:
        content = {
            "fit": vars(state),
            "delta": delta(self.unet),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average and self.average.state_dict(),
        }
        with replacing(path) as temporary:
            torch.save(content, temporary)

    def restore(self, path: Path) -> UnetFit:
        content = torch.load(path, map_location=self.recipe.device, weights_only=True)
        self.unet.load_state_dict(content["delta"], strict=False)
        self.optimiser.load_state_dict(content["optimiser"])
        self.scaler.load_state_dict(content["scaler"])
        if self.average:
            self.average.load_state_dict(content["average"])
        return UnetFit(**content["fit"])


def _groups(unet: nn.Module, weight_decay: float, learning_rate: float) -> list[dict]:
    """Return AdamW's groups: as `parameter_groups` makes them, parameters with a rate of their own apart."""
    groups = []
    for group in parameter_groups(unet, weight_decay):
        by_rate = {}
        for parameter in group["params"]:
            by_rate.setdefault(getattr(parameter, "learning_rate", learning_rate), []).append(parameter)
        groups += [group | {"params": parameters, "lr": rate} for rate, parameters in by_rate.items()]
    return groups


def _run_interval(loop: _Loop, state: UnetFit) -> None:
    """Train up to the next report, and report: mean loss, images a second, time left."""
    recipe, started, first = loop.recipe, time.monotonic(), state.step
    interval = math.ceil(recipe.steps / REPORTS)
    last = min(recipe.steps, (first // interval + 1) * interval)
    losses = [_step(loop, state, number) for number in range(first, last)]
    loss = float(torch.stack(losses).mean())
    seconds = time.monotonic() - started
    state.step = last
    state.train_seconds += seconds
    if not math.isfinite(loss):
        raise RunFailed(f"the loss was not finite by step {last} at learning rate {loop.optimiser.defaults['lr']:g}")
    state.history.append({"step": last, "train_loss": loss})
    left = (recipe.steps - last) * seconds / (last - first)
    pace = (last - first) * recipe.batch_size / seconds
    logging.info("step %d of %d, loss %.4f, %.1f images/s, %.0f s left", last, recipe.steps, loss, pace, left)


def _step(loop: _Loop, state: UnetFit, number: int) -> Tensor:
    batch = _draw(loop, number)
    loss, state.micro_batch = as_fits(state.micro_batch, lambda size: _accumulate(loop, batch, size))
    loop.scaler.unscale_(loop.optimiser)
    nn.utils.clip_grad_norm_(loop.trainable, CLIP)
    loop.scaler.step(loop.optimiser)
    loop.scaler.update()
    if loop.average:
        loop.average.step(loop.trainable)
    return loss


def _accumulate(loop: _Loop, batch: Batch, size: int) -> Tensor:
    """Set the gradients to those of the weighted mean loss over `batch`, `size` images at a time; return that loss."""
    loop.optimiser.zero_grad()
    losses = []
    for piece in batch.split(size):
        with autocast(loop.recipe.precision, loop.recipe.device):
            output = loop.unet(piece.noisy, piece.times, piece.texts).sample
        errors = functional.mse_loss(output.float(), piece.target, reduction="none").flatten(1).mean(1)
        loss = (errors * piece.weights).sum() / len(batch.times)
        loop.scaler.scale(loss).backward()
        losses.append(loss.detach())
    return torch.stack(losses).sum()


def _draw(loop: _Loop, number: int) -> Batch:
    """Return the batch of the step `number`: pairs drawn with replacement, some without their caption, with noise."""
    recipe, pairs = loop.recipe, loop.train
    generator = torch.Generator().manual_seed(noise_seed(loop.seed, number))
    picks = torch.randint(len(pairs.rows), (recipe.batch_size,), generator=generator).numpy()
    rows, texts = (pairs.rows[column].to_numpy()[picks] for column in ("row", "text"))
    texts[(torch.rand(recipe.batch_size, generator=generator) < recipe.caption_dropout).numpy()] = UNCONDITIONAL
    moments = DiagonalGaussianDistribution(torch.from_numpy(pairs.moments[rows]).float())
    latents = loop.latent_scale * moments.sample(generator)
    noise = torch.randn(latents.shape, generator=generator)
    times = torch.randint(loop.noise.config.num_train_timesteps, (recipe.batch_size,), generator=generator)
    velocity = loop.noise.config.prediction_type == "v_prediction"
    target = loop.noise.get_velocity(latents, noise, times) if velocity else noise
    batch = (
        loop.noise.add_noise(latents, noise, times),
        times,
        torch.from_numpy(pairs.texts[texts]).float(),
        target,
        _weights(loop.noise, times, recipe.min_snr_gamma),
    )
    return Batch(*(tensor.to(recipe.device) for tensor in batch))


def _weights(noise: DDPMScheduler, times: Tensor, gamma: float | None) -> Tensor:
    """Return the weights of the errors at `times`, (N,): 1, or min-SNR's (Hang et al. 2023, arXiv 2303.09556)."""
    if gamma is None:
        return torch.ones(len(times))
    ratio = compute_snr(noise, times)
    velocity = noise.config.prediction_type == "v_prediction"
    return ratio.clamp(max=gamma) / (ratio + 1 if velocity else ratio)
