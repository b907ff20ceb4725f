"""The loop of every training: intervals of steps, micro-batches, checkpoints, and what ends it early."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from medpeft.base.errors import RunFailed
from medpeft.base.files import replacing
from medpeft.networks.delta import delta
from medpeft.networks.memory import as_fits

CHECKPOINT_SECONDS = 10  # work that a kill may cost; shorter runs are not worth a file


@dataclass(frozen=True)
class CommonRecipe:
    """How to train any network; the study schema describes each field."""

    batch_size: int
    weight_decay: float
    precision: str
    threads: int
    device: str


@dataclass
class Course:
    """How far a training has come, and what it cost.

    Attributes:
        micro_batch: How many images have their gradients computed at once: the batch, or as many as fitted in memory.
        step: Optimiser steps done.
        images_seen: Images in the batches of these steps.
        train_seconds: Seconds that the steps took, validation left out.
        history: One row a validation or report.
    """

    micro_batch: int
    step: int = 0
    images_seen: int = 0
    train_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


CourseT = TypeVar("CourseT", bound=Course)


class Loop(ABC, Generic[CourseT]):
    """A training in intervals of steps, after each of which it reports and may be interrupted.

    Subclasses set both numbers of steps and say what a step does.

    Attributes:
        steps: Optimiser steps of the whole training.
        interval: Optimiser steps between two reports.
    """

    steps: int
    interval: int

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        recipe: CommonRecipe,
        learning_rate: float,
        course: CourseT,
    ):
        self.model = model
        self.trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.course = course
        self.scaler = torch.amp.GradScaler(recipe.device, enabled=recipe.precision == "fp16")
        self._precision = recipe.precision
        self._device = recipe.device

    def run(self, checkpoint: Path | None) -> CourseT:
        """Train to the end and return the course of the training.

        Args:
            checkpoint: The file from which an interrupted training goes on, and that is written meanwhile, every
                `CHECKPOINT_SECONDS`. The caller removes it.

        Raises:
            RunFailed: The loss is not finite, or memory does not hold a single image.
        """
        if checkpoint and checkpoint.exists():
            self._restore(checkpoint)
        saved = time.monotonic()
        while self.course.step < self.steps:
            self._run_interval()
            if checkpoint and time.monotonic() - saved >= CHECKPOINT_SECONDS:
                self._save(checkpoint)
                saved = time.monotonic()
        return self.course

    def backpropagate(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Set the gradients to those of the mean loss over `batch`, and return that loss.

        They are accumulated over micro-batches, which are halved until they fit in memory.

        Args:
            batch: Tensors with one row an image each.
        """
        count = len(batch[0])

        def accumulate(size: int) -> Tensor:
            self.optimiser.zero_grad()
            losses = []
            for micro_batch in zip(*(torch.split(tensor, size) for tensor in batch), strict=True):
                loss = self.loss(micro_batch, count)
                self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                losses.append(loss.detach())
            return torch.stack(losses).sum()

        loss, self.course.micro_batch = as_fits(self.course.micro_batch, accumulate)
        self.course.images_seen += count
        return loss

    @abstractmethod
    def begin(self) -> None:
        """Prepare an interval."""

    @abstractmethod
    def train_step(self, number: int) -> Tensor:
        """Take the step `number`, from 0, and return the mean loss over its batch."""

    @abstractmethod
    def loss(self, micro_batch: tuple[Tensor, ...], count: int) -> Tensor:
        """Return what `micro_batch` adds to the mean loss over a batch of `count` images."""

    @abstractmethod
    def report(self, loss: float) -> None:
        """Take note of the mean loss over the interval that has just ended."""

    def update(self, clip: float | None = None) -> None:
        """Move the weights by the gradients, whose norm is first cut to `clip`."""
        self.scaler.unscale_(self.optimiser)
        if clip is not None:
            nn.utils.clip_grad_norm_(self.trainable, clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def place(self, step: int) -> str:
        """Return where in the training `step`, from 1, is."""
        return f"step {step}"

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "course": vars(self.course),
            "precision": self._precision,
            "delta": delta(self.model),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "global_generator": torch.get_rng_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to where a checkpoint was written."""
        self.model.load_state_dict(state["delta"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["global_generator"].cpu())
        vars(self.course).update(state["course"])

    def _run_interval(self) -> None:
        course, started = self.course, time.monotonic()
        first = course.step
        last = min(self.steps, (first // self.interval + 1) * self.interval)
        self.begin()
        losses = torch.stack([self.train_step(number) for number in range(first, last)])
        finite = losses.isfinite().cpu()  # asked once an interval, for a GPU would have to wait for the answer
        course.train_seconds += time.monotonic() - started
        if not finite.all():
            place = self.place(first + int(finite.int().argmin()) + 1)
            raise RunFailed(f"the loss was not finite at {place}, at learning rate {self.learning_rate:g}")
        course.step = last
        self.report(float(losses.mean()))

    def _save(self, checkpoint: Path) -> None:
        with replacing(checkpoint) as temporary:
            torch.save(self.state(), temporary)

    def _restore(self, checkpoint: Path) -> None:
        state = torch.load(checkpoint, map_location=self._device, weights_only=True)
        if state["precision"] == self._precision:  # else of a node with other hardware: what was done does not count
            self.load_state(state)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return AdamW's groups: trainable matrices and kernels decay; biases, norms, scales and shifts do not."""
    kernels = {
        id(module.weight) for module in model.modules() if isinstance(module, nn.Linear | nn.modules.conv._ConvNd)
    }
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trainable if id(p) in kernels], "weight_decay": weight_decay},
        {"params": [p for p in trainable if id(p) not in kernels], "weight_decay": 0.0},
    ]
