"""Fine-tuning: the loop, its choice of epoch on validation, and its resumption after a kill."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from medpeft.base.errors import RunFailed, UserError
from medpeft.base.files import replacing
from medpeft.data.augmentation import evaluation_batch, training_batch
from medpeft.data.images import Split
from medpeft.methods.registry import Method
from medpeft.networks.cpu_kernels import hasten
from medpeft.networks.delta import delta
from medpeft.networks.memory import as_fits, memory_errors
from medpeft.networks.models import create, set_training_mode, take_features
from medpeft.networks.precision import autocast, fastest_precision

EVALUATION_BATCH = 64  # more are no faster on a CPU, whose caches they leave
CHECKPOINT_SECONDS = 10  # work that a kill may cost; shorter runs are not worth a file


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune; the study schema describes each field."""

    epochs: int
    min_steps: int
    batch_size: int
    weight_decay: float
    warmup: float
    crop_scale: tuple[float, float]
    validations: int
    threads: int
    precision: str
    checkpoint_activations: bool
    image_size: int
    device: str

    def settled(self, model: nn.Module) -> "Recipe":
        """Return this recipe with its precision decided for `model`, which is made ready for it in place."""
        precision = fastest_precision(model, self.device) if self.precision == "auto" else self.precision
        if self.device == "cpu":
            hasten(model, precision)
        if self.checkpoint_activations:
            _checkpoint_activations(model)
        return replace(self, precision=precision)


def _checkpoint_activations(model: nn.Module) -> None:
    try:
        model.set_grad_checkpointing()
    except AssertionError as error:
        raise UserError(
            f"timm's {type(model).__name__} cannot compute activations anew: take recipe.checkpoint_activations out"
        ) from error


def network(
    backbone: str, method: Method, weights: Path, classes: int, recipe: Recipe, seed: int
) -> tuple[nn.Module, Recipe]:
    """Return the network that a run trains, and the recipe settled for it.

    It takes features instead of images where the method learns on them.
    """
    model = create(backbone, classes, weights, method, seed, recipe.image_size)
    if method.on_features:
        take_features(model)
    return model, recipe.settled(model)


@dataclass
class Fit:
    """What a training leaves: the delta of its best epoch, its history, and what it cost.

    `micro_batch` is how many images had their gradients computed at once: the batch, or as many as fitted in memory.
    """

    micro_batch: int
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)
    train_seconds: float = 0.0
    images_seen: int = 0
    epoch: int = 0

    @property
    def best_row(self) -> dict:
        """The row of the history with the highest validation F1, the lowest loss where several share it."""
        return max(self.history, key=lambda row: (row["validation_f1_micro"], -row["validation_loss"]))


def fit(
    model: nn.Module,
    train: Split,
    validation: Split,
    recipe: Recipe,
    learning_rate: float,
    seed: int,
    checkpoint: Path | None = None,
    on_validation: Callable[[int, dict], None] = lambda epoch, row: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Fit:
    """Train what is trainable in `model`, in place, with AdamW and cross-entropy, and return the `Fit`.

    The rate rises linearly over the warm-up and follows a cosine to 0. Of `recipe.validations` evenly spaced epochs
    the best on validation is kept. With `checkpoint`, a path, an interrupted training goes on from its last saved
    epoch, bit-identical on a CPU; the caller removes the file. `on_validation(epoch, row)` may stop the training by
    raising. Raises `RunFailed` when memory runs out or the loss is not finite.
    """
    with memory_errors():
        loop = _Loop(model, train, recipe, learning_rate, seed)
        state = loop.restore(checkpoint) if checkpoint and checkpoint.exists() else Fit(micro_batch=loop.batch)
        saved = time.monotonic()
        while state.epoch < loop.epochs:
            loss = _run_epoch(loop, state)
            if state.epoch in loop.validated_epochs:
                on_validation(state.epoch, _validate(loop, state, validation, loss))
            if checkpoint and time.monotonic() - saved >= checkpoint_seconds:
                loop.save(checkpoint, state)
                saved = time.monotonic()
    return state


def predict(model: nn.Module, part: Split, recipe: Recipe) -> Tensor:
    """Return the logits, float32 (N, classes) on the CPU, of the centre crops of a part's images.

    As many images at a time as fit in memory, `EVALUATION_BATCH` at most.
    """
    model.eval()

    def logits(size: int) -> Tensor:
        batches = (evaluation_batch(b.to(recipe.device), recipe.image_size) for b in part.images.split(size))
        return torch.cat([model(batch).float().cpu() for batch in batches])

    with torch.inference_mode(), autocast(recipe.precision, recipe.device):
        return as_fits(EVALUATION_BATCH, logits)[0]


class _Loop:
    """The moving parts of a training: optimiser, schedule and random numbers."""

    def __init__(self, model: nn.Module, train: Split, recipe: Recipe, learning_rate: float, seed: int):
        self.model = model.to(recipe.device)
        self.train = train.to(recipe.device)
        self.recipe = recipe
        self.batches = math.ceil(len(train.labels) / recipe.batch_size)
        self.batch = math.ceil(len(train.labels) / self.batches)
        self.epochs = max(recipe.epochs, math.ceil(recipe.min_steps / self.batches))
        count = min(recipe.validations, self.epochs)
        self.validated_epochs = {round(self.epochs * (index + 1) / count) for index in range(count)}
        self.generator = torch.Generator().manual_seed(seed)
        self.optimiser = torch.optim.AdamW(parameter_groups(model, recipe.weight_decay), lr=learning_rate, fused=True)
        self.factor = warmup_cosine(self.epochs * self.batches, recipe.warmup)

    def save(self, path: Path, state: Fit) -> None:
        content = {
            "fit": vars(state),
            "precision": self.recipe.precision,
            "delta": delta(self.model),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "global_generator": torch.get_rng_state(),
        }
        with replacing(path) as temporary:
            torch.save(content, temporary)

    def restore(self, path: Path) -> Fit:
        content = torch.load(path, map_location=self.recipe.device, weights_only=True)
        if content["precision"] != self.recipe.precision:  # of a node with other hardware: what was done does not count
            return Fit(micro_batch=self.batch)
        self.model.load_state_dict(content["delta"], strict=False)
        self.optimiser.load_state_dict(content["optimiser"])
        self.generator.set_state(content["generator"].cpu())
        torch.set_rng_state(content["global_generator"].cpu())
        return Fit(**content["fit"])


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Return AdamW's groups: trainable matrices and kernels decay; biases, norms, scales and shifts do not."""
    kernels = {
        id(module.weight) for module in model.modules() if isinstance(module, nn.Linear | nn.modules.conv._ConvNd)
    }
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trainable if id(p) in kernels], "weight_decay": weight_decay},
        {"params": [p for p in trainable if id(p) not in kernels], "weight_decay": 0.0},
    ]


def warmup_cosine(steps: int, warmup: float) -> Callable[[int], float]:
    """Return the factor on the learning rate at each of `steps`: linear over the share `warmup`, then cosine to 0."""
    rising = round(warmup * steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2

    return factor


def _run_epoch(loop: _Loop, state: Fit) -> float:
    """Train for one epoch and return the mean loss; batches of nearly equal size spare BatchNorm a tiny last one."""
    started = time.monotonic()
    set_training_mode(loop.model)
    order = torch.randperm(len(loop.train.labels), generator=loop.generator)
    first = state.epoch * loop.batches
    rows = torch.tensor_split(order, loop.batches)
    losses = torch.stack([_step(loop, state, part, first + index) for index, part in enumerate(rows)])
    state.epoch += 1
    state.images_seen += len(order)
    state.train_seconds += time.monotonic() - started
    finite = losses.isfinite()
    if not finite.all():  # asked once an epoch, for a GPU would have to wait for the answer
        step = first + int(finite.int().argmin()) + 1
        rate = loop.optimiser.defaults["lr"]
        raise RunFailed(f"the loss was not finite at step {step}, in epoch {state.epoch}, at learning rate {rate:g}")
    return float(losses.mean())


def _step(loop: _Loop, state: Fit, rows: Tensor, number: int) -> Tensor:
    recipe = loop.recipe
    for group in loop.optimiser.param_groups:
        group["lr"] = loop.optimiser.defaults["lr"] * loop.factor(number)
    batch = training_batch(loop.train.images[rows], recipe.image_size, recipe.crop_scale, loop.generator)
    labels = loop.train.labels[rows]
    loss, state.micro_batch = as_fits(state.micro_batch, lambda size: _accumulate(loop, batch, labels, size))
    loop.optimiser.step()
    return loss


def _accumulate(loop: _Loop, batch: Tensor, labels: Tensor, size: int) -> Tensor:
    """Set the gradients to those of the mean loss over `batch`, `size` images at a time, and return that loss."""
    loop.optimiser.zero_grad()
    losses = []
    for images, truth in zip(batch.split(size), labels.split(size), strict=True):
        with autocast(loop.recipe.precision, loop.recipe.device):
            logits = loop.model(images)
        loss = functional.cross_entropy(logits.float(), truth) * (len(truth) / len(labels))
        loss.backward()
        losses.append(loss.detach())
    return torch.stack(losses).sum()


def _validate(loop: _Loop, state: Fit, validation: Split, loss: float) -> dict:
    """Append the validation scores of this epoch to the history and keep the delta where they are the best so far."""
    logits = predict(loop.model, validation, loop.recipe)
    row = {
        "epoch": state.epoch,
        "train_loss": loss,
        "validation_loss": float(functional.cross_entropy(logits, validation.labels)),
        "validation_f1_micro": float((logits.argmax(1) == validation.labels).double().mean()),
    }
    if not math.isfinite(row["validation_loss"]):
        raise RunFailed(f"the validation loss was not finite after epoch {state.epoch}")
    state.history.append(row)
    if state.best_row is row:
        state.best = {name: tensor.cpu() for name, tensor in delta(loop.model).items()}
    return row
