"""Training of a classifier: its batches and schedule, and the choice of its epoch on validation."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from medpeft.base.errors import RunFailed, UserError
from medpeft.data.augmentation import evaluation_batch, training_batch
from medpeft.data.images import Split
from medpeft.methods.registry import load
from medpeft.networks.cpu_kernels import hasten
from medpeft.networks.delta import delta
from medpeft.networks.memory import as_fits, memory_errors
from medpeft.networks.models import create, set_training_mode, take_features, update_batchnorm
from medpeft.networks.precision import autocast, fastest_precision
from medpeft.statistics.registry import PRIMARY, metric
from medpeft.statistics.scoring.scored import Scored
from medpeft.training.loop import CommonRecipe, Course, Loop, parameter_groups
from medpeft.training.losses import class_weights, mean_loss, part_of_loss, shares_of
from medpeft.training.schedule import warmup_cosine

Direction = Literal["maximize", "minimize"]
EVALUATION_BATCH = 64  # more are no faster on a CPU, whose caches they leave


@dataclass(frozen=True)
class Recipe(CommonRecipe):
    """How to fine-tune a classifier; the study schema describes each field."""

    epochs: int
    min_steps: int
    warmup: float
    crop_scale: tuple[float, float]
    horizontal_flip: bool
    validations: int
    gradient_checkpointing: bool
    batchnorm: str
    image_size: int
    class_weights: str = "none"
    primary_metric: str = PRIMARY

    @property
    def chooses(self) -> str:
        """The column of the history by which the epoch and the learning rate are chosen."""
        return f"validation_{self.primary_metric}"

    @property
    def direction(self) -> Direction:
        """The direction of that column, as Optuna calls it."""
        return "maximize" if metric(self.primary_metric).higher_is_better else "minimize"

    def course(self, images: int) -> tuple[int, int]:
        """Return the steps of an epoch, and the epochs, of a training on so many `images`."""
        interval = math.ceil(images / self.batch_size)
        return interval, max(self.epochs, math.ceil(self.min_steps / interval))

    def as_long_as(self, images: int, fewer: int) -> "Recipe":
        """Return the recipe that trains on `fewer` images for the steps that `images` have under this one.

        Epochs are whole: the steps of the last one may be more.
        """
        interval, epochs = self.course(images)
        return replace(self, epochs=math.ceil(interval * epochs / math.ceil(fewer / self.batch_size)))

    def settled(self, model: nn.Module) -> "Recipe":
        """Return this recipe with its precision decided for `model`, which is made ready for it in place."""
        precision = fastest_precision(model, self.device) if self.precision == "auto" else self.precision
        if self.device == "cpu":
            hasten(model, precision)
        if self.gradient_checkpointing:
            _turn_on_gradient_checkpointing(model)
        return replace(self, precision=precision)


def _turn_on_gradient_checkpointing(model: nn.Module) -> None:
    try:
        model.set_grad_checkpointing()  # type: ignore[operator]
    except AssertionError as error:
        raise UserError(
            f"timm's {type(model).__name__} has no gradient checkpointing: take recipe.gradient_checkpointing out"
        ) from error


@dataclass(frozen=True)
class Classifier:
    """What is fine-tuned: timm's `backbone` with these `weights` under a method, with a head for `classes`."""

    backbone: str
    method: str
    weights: Path
    classes: list[str]

    def network(self, recipe: Recipe, seed: int) -> tuple[nn.Module, Recipe]:
        """Return the network that a run trains, and the recipe settled for it.

        It takes features instead of images where the method learns on them. These come from the pretrained network,
        so that its BatchNorms stay as pretrained whatever `recipe.batchnorm` is.
        """
        method = load(self.method)
        model = create(self.backbone, len(self.classes), self.weights, method, seed, recipe.image_size)
        if method.on_features:
            take_features(model)
        elif recipe.batchnorm == "updated":
            update_batchnorm(model)
        return model, recipe.settled(model)


@dataclass
class Fit(Course):
    """The course of a training, and the delta of its best epoch.

    Attributes:
        primary_metric: By which the best epoch is chosen.
        best: The delta of that epoch.
    """

    primary_metric: str = PRIMARY
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_row(self) -> dict[str, float]:
        """The row of the history with the best validation score, the lowest loss where several share it."""
        name, sign = self.primary_metric, metric(self.primary_metric).sign
        return max(self.history, key=lambda row: (sign * row[f"validation_{name}"], -row["validation_loss"]))


OnValidation = Callable[[int, dict[str, float]], None]


def fit(
    model: nn.Module,
    splits: dict[str, Split],
    recipe: Recipe,
    learning_rate: float,
    seed: int,
    checkpoint: Path | None = None,
    on_validation: OnValidation = lambda epoch, row: None,
) -> Fit:
    """Train what is trainable in `model`, in place, with AdamW and cross-entropy.

    Where images may have several labels, it is the binary cross-entropy, averaged over the labels that are known.

    The learning rate rises linearly over the warm-up and follows a cosine to 0. Of `recipe.validations` evenly spaced
    epochs the best on validation is kept.

    Args:
        model: The network, for which `recipe` is settled.
        splits: The images or features of `train` and `validation`.
        recipe: How to train.
        learning_rate: The highest learning rate.
        seed: Of the order of the images and their crops.
        checkpoint: The file from which an interrupted training goes on with its last saved epoch, bit-identical on a
            CPU. The caller removes it.
        on_validation: Called with each validated epoch and its row of the history; it may stop the training by raising.

    Raises:
        RunFailed: Memory runs out, or a loss is not finite.
    """
    with memory_errors():
        return ClassifierLoop(model, splits, recipe, learning_rate, seed, on_validation).run(checkpoint)


def predict(model: nn.Module, split: Split, recipe: Recipe) -> Tensor:
    """Return the logits, float32 (N, classes) on the CPU, of the centre crops of a split's images.

    As many images at a time as fit in memory, `EVALUATION_BATCH` at most.
    """
    model.eval()

    def logits(size: int) -> Tensor:
        chunks = (evaluation_batch(c.to(recipe.device), recipe.image_size) for c in torch.split(split.images, size))
        return torch.cat([model(chunk).float().cpu() for chunk in chunks])

    with torch.inference_mode(), autocast(recipe.precision, recipe.device):
        return as_fits(EVALUATION_BATCH, logits)[0]


def score_of(name: str, logits: Tensor, labels: Tensor) -> float:
    """Return the metric `name` of `logits` (N, classes) against `labels`, which are as in `medpeft.data.images.Split`.

    Raises:
        RunFailed: It is undefined on these images.
    """
    exclusive = labels.ndim == 1
    probabilities = (logits.double().softmax(1) if exclusive else logits.double().sigmoid()).numpy()
    truth, known = (labels, None) if exclusive else (labels == 1, (~labels.isnan()).numpy())
    scored = Scored(truth.numpy(), probabilities, np.ones((1, len(labels))), known)
    found = float(metric(name).function(scored)[0])
    if not math.isfinite(found):
        raise RunFailed(f"{metric(name).label} is undefined on the validation images: they lack images of a class")
    return found


class ClassifierLoop(Loop[Fit]):
    """The training of a classifier, whose intervals are epochs."""

    def __init__(
        self,
        model: nn.Module,
        splits: dict[str, Split],
        recipe: Recipe,
        learning_rate: float,
        seed: int,
        on_validation: OnValidation,
    ):
        model.to(recipe.device)
        self.train, self.validation = splits["train"].to(recipe.device), splits["validation"]
        self.recipe = recipe
        self.on_validation = on_validation
        self.interval, epochs = recipe.course(len(self.train.labels))
        self.steps = epochs * self.interval
        count = min(recipe.validations, epochs)
        self.validated_epochs = {round(epochs * (index + 1) / count) for index in range(count)}
        self.schedule = warmup_cosine(self.steps, recipe.warmup)
        self.generator = torch.Generator().manual_seed(seed)
        self.rows: tuple[Tensor, ...] = ()  # of the batches of an epoch
        self.class_weights = class_weights(self.train.labels, recipe.class_weights)
        optimiser = torch.optim.AdamW(parameter_groups(model, recipe.weight_decay), lr=learning_rate, fused=True)
        fit = Fit(micro_batch=math.ceil(len(self.train.labels) / self.interval), primary_metric=recipe.primary_metric)
        super().__init__(model, optimiser, recipe, learning_rate, fit)

    def begin(self) -> None:
        """Draw the batches of an epoch; they are of nearly equal size, which spares BatchNorm a tiny last one."""
        set_training_mode(self.model)
        order = torch.randperm(len(self.train.labels), generator=self.generator)
        self.rows = torch.tensor_split(order, self.interval)

    def train_step(self, number: int) -> Tensor:
        """Take the step `number`, from 0, and return the mean loss over its batch."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate * self.schedule(number)
        rows, recipe = self.rows[number % self.interval], self.recipe
        images = training_batch(
            self.train.images[rows], recipe.image_size, recipe.crop_scale, self.generator, recipe.horizontal_flip
        )
        labels = self.train.labels[rows]
        batch = (images, labels) if labels.ndim == 1 else (images, labels, shares_of(labels))
        loss = self.backpropagate(batch)
        self.update()
        return loss

    def loss(self, micro_batch: tuple[Tensor, ...], count: int) -> Tensor:
        """Return the loss of images and labels, weighted by their share of a batch of `count` images.

        Several labels an image bring their shares of the batch with them, for not all are known.
        """
        images, labels, *shares = micro_batch
        with autocast(self.recipe.precision, self.recipe.device):
            logits = self.model(images)
        if not shares and self.class_weights is None:
            return mean_loss(logits.float(), labels) * (len(labels) / count)
        each = shares[0] if shares else torch.full_like(labels, 1 / count, dtype=torch.float32)
        return part_of_loss(logits.float(), labels, each, self.class_weights)

    def report(self, loss: float) -> None:
        """Validate the epoch that has just ended, if it is one of those that are."""
        epoch = self.course.step // self.interval
        if epoch in self.validated_epochs:
            self.on_validation(epoch, self._validate(epoch, loss))

    def place(self, step: int) -> str:
        """Return where in the training `step`, from 1, is."""
        return f"step {step}, in epoch {(step - 1) // self.interval + 1}"

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return super().state() | {"generator": self.generator.get_state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to where a checkpoint was written."""
        super().load_state(state)
        self.generator.set_state(state["generator"].cpu())

    def _validate(self, epoch: int, loss: float) -> dict[str, float]:
        """Append the validation scores of `epoch` to the history and keep the delta where they are the best so far."""
        logits, labels = predict(self.model, self.validation, self.recipe), self.validation.labels
        row = {
            "epoch": epoch,
            "train_loss": loss,
            "validation_loss": float(mean_loss(logits, labels)),
        }
        if not math.isfinite(row["validation_loss"]):
            raise RunFailed(f"the validation loss was not finite after epoch {epoch}")
        row[self.recipe.chooses] = score_of(self.recipe.primary_metric, logits, labels)
        self.course.history.append(row)
        if self.course.best_row is row:
            self.course.best = {name: tensor.cpu() for name, tensor in delta(self.model).items()}
        return row
