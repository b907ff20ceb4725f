"""Training of a U-Net on latents and text embeddings: its batches and noise, its loss, its moving average."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import DDPMScheduler
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.training_utils import EMAModel, compute_snr
from torch import Tensor, nn
from torch.nn import functional

from medpeft.base.errors import RunFailed
from medpeft.base.files import read_json
from medpeft.networks.diffusion import noise_seed
from medpeft.networks.memory import memory_errors
from medpeft.networks.precision import autocast
from medpeft.training.captioned import UNCONDITIONAL, CaptionedLatents
from medpeft.training.loop import CommonRecipe, Course, Loop, parameter_groups

CLIP = 1.0  # norm of the gradients at most
REPORTS = 50  # lines of the history and of the log over a training
LATENT_SCALE = 0.18215  # of autoencoders older than the setting, Stable Diffusion 1's among them


@dataclass(frozen=True)
class UnetRecipe(CommonRecipe):
    """How to fine-tune a U-Net; the study schema describes each field under `generation`."""

    steps: int
    micro_batch: int | None
    caption_dropout: float
    min_snr_gamma: float | None
    ema_decay: float | None


class Batch(NamedTuple):
    """What one step learns from: noisy latents and target (N, C, h, w), times and weights (N,), texts (N, L, width)."""

    noisy: Tensor
    times: Tensor
    texts: Tensor
    target: Tensor
    weights: Tensor


def fit_unet(
    unet: nn.Module,
    diffusion_pipeline: Path,
    train: CaptionedLatents,
    recipe: UnetRecipe,
    learning_rate: float,
    seed: int,
    checkpoint: Path | None = None,
) -> Course:
    """Train what is trainable in `unet`, in place, to predict the noise in noisy latents (or the velocity).

    AdamW at a constant learning rate, gradients clipped. Every random number of a step comes from the seed and the
    number of the step alone. With `ema_decay` the weights are in the end the moving average of those of all steps.

    Args:
        unet: The network.
        diffusion_pipeline: The folder of the diffusion pipeline, for its noise schedule and the scale of its latents.
        train: What it learns from.
        recipe: How to train.
        learning_rate: That of all parameters that have none of their own.
        seed: Of the images, captions, times and noise of the steps.
        checkpoint: The file from which an interrupted training goes on with its last saved step, bit-identical on a
            CPU. The caller removes it.

    Raises:
        RunFailed: Memory runs out, or a loss or a weight is not finite.

    Source:
        Ho et al. 2020, equation 14.
    """
    with memory_errors():
        loop = UnetLoop(unet, diffusion_pipeline, train, recipe, learning_rate, seed)
        course = loop.run(checkpoint)
        if loop.average:
            loop.average.copy_to(loop.trainable)
    if not all(parameter.isfinite().all() for parameter in loop.trainable):
        raise RunFailed(f"weights were not finite after step {course.step}, at learning rate {learning_rate:g}")
    return course


class UnetLoop(Loop[Course]):
    """The training of a U-Net, whose intervals end with a line of the history."""

    def __init__(
        self,
        unet: nn.Module,
        diffusion_pipeline: Path,
        train: CaptionedLatents,
        recipe: UnetRecipe,
        learning_rate: float,
        seed: int,
    ):
        unet.to(recipe.device)
        self.train = train
        self.recipe = recipe
        self.seed = seed
        self.steps = recipe.steps
        self.interval = math.ceil(recipe.steps / REPORTS)
        self.noise = DDPMScheduler.from_pretrained(diffusion_pipeline / "scheduler", local_files_only=True)
        autoencoder = read_json(diffusion_pipeline / "vae" / "config.json")
        self.latent_scale = autoencoder.get("scaling_factor", LATENT_SCALE)
        optimiser = torch.optim.AdamW(_groups(unet, recipe.weight_decay, learning_rate))
        course = Course(micro_batch=recipe.micro_batch or recipe.batch_size)
        super().__init__(unet, optimiser, recipe, learning_rate, course)
        self.average = EMAModel(self.trainable, decay=recipe.ema_decay) if recipe.ema_decay else None

    def begin(self) -> None:
        """Put the U-Net into training mode."""
        self.model.train()

    def train_step(self, number: int) -> Tensor:
        """Take the step `number`, from 0, and return the mean loss over its batch."""
        loss = self.backpropagate(self.draw(number))
        self.update(CLIP)
        if self.average:
            self.average.step(self.trainable)
        return loss

    def draw(self, number: int) -> Batch:
        """Return the batch of the step `number`: images drawn with replacement, some without their caption, noisy."""
        recipe, train = self.recipe, self.train
        generator = torch.Generator().manual_seed(noise_seed(self.seed, number))
        picks = torch.randint(len(train.rows), (recipe.batch_size,), generator=generator).numpy()
        rows, texts = (train.rows[column].to_numpy()[picks] for column in ("row", "text"))
        texts[(torch.rand(recipe.batch_size, generator=generator) < recipe.caption_dropout).numpy()] = UNCONDITIONAL
        moments = DiagonalGaussianDistribution(torch.from_numpy(train.moments[rows]).float())
        latents = self.latent_scale * moments.sample(generator)
        noise = torch.randn(latents.shape, generator=generator)
        times = torch.randint(self.noise.config.num_train_timesteps, (recipe.batch_size,), generator=generator)
        velocity = self.noise.config.prediction_type == "v_prediction"
        batch = Batch(
            noisy=self.noise.add_noise(latents, noise, times),
            times=times,
            texts=torch.from_numpy(train.texts[texts]).float(),
            target=self.noise.get_velocity(latents, noise, times) if velocity else noise,
            weights=loss_weights(self.noise, times, recipe.min_snr_gamma),
        )
        return Batch(*(tensor.to(recipe.device) for tensor in batch))

    def loss(self, micro_batch: tuple[Tensor, ...], count: int) -> Tensor:
        """Return the weighted squared errors of a `Batch`, summed, over the `count` images of the whole batch."""
        batch = Batch(*micro_batch)
        with autocast(self.recipe.precision, self.recipe.device):
            output = self.model(batch.noisy, batch.times, batch.texts).sample
        errors = functional.mse_loss(output.float(), batch.target, reduction="none").flatten(1).mean(1)
        return (errors * batch.weights).sum() / count

    def report(self, loss: float) -> None:
        """Append the mean loss to the history, and log it with the pace and the time left."""
        course = self.course
        course.history.append({"step": course.step, "train_loss": loss})
        pace = course.images_seen / course.train_seconds
        left = (self.steps - course.step) * course.train_seconds / course.step
        logging.info("step %d of %d, loss %.4f, %.1f images/s, %.0f s left", course.step, self.steps, loss, pace, left)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return super().state() | {"average": self.average and self.average.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to where a checkpoint was written."""
        super().load_state(state)
        if self.average:
            self.average.load_state_dict(state["average"])


def loss_weights(noise: DDPMScheduler, times: Tensor, gamma: float | None) -> Tensor:
    """Return the weights of the errors at `times`, (N,): all 1, or where `gamma` is given those of min-SNR.

    Source:
        Hang et al. 2023, arXiv 2303.09556.
    """
    if gamma is None:
        return torch.ones(len(times))
    ratio = compute_snr(noise, times)
    velocity = noise.config.prediction_type == "v_prediction"
    return ratio.clamp(max=gamma) / (ratio + 1 if velocity else ratio)


def _groups(unet: nn.Module, weight_decay: float, learning_rate: float) -> list[dict[str, Any]]:
    """Return AdamW's groups: as `parameter_groups` makes them, parameters with a learning rate of their own apart."""
    groups = []
    for group in parameter_groups(unet, weight_decay):
        by_rate: dict[float, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            by_rate.setdefault(getattr(parameter, "learning_rate", learning_rate), []).append(parameter)
        groups += [group | {"params": parameters, "lr": rate} for rate, parameters in by_rate.items()]
    return groups
