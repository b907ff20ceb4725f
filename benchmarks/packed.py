"""Whether runs of one method gain from being trained together in one process: not on a CPU.

    PYTHONPATH=scripts python benchmarks/packed.py WEIGHTS BACKBONE METHOD [cpu|cuda]

Four runs, of different seeds, fractions or learning rates, share the frozen parameters of one network; what they train
is stacked, and `torch.func.vmap` runs all four through the network at once. Beside it the four steps one after the
other.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy

from medpeft.methods.registry import load
from medpeft.networks.cpu_kernels import hasten_convolutions, unfuse_attention
from medpeft.networks.models import create, set_training_mode
from medpeft.networks.precision import autocast, fastest_precision

RUNS, BATCH, CLASSES, SIZE, REPEATS = 4, 16, 3, 56, 10


def packed(model: nn.Module, images: Tensor, labels: Tensor, precision: str) -> Callable[[], dict[str, Tensor]]:
    """Return a function that computes the gradients of all runs at once, stacked along the first axis.

    `images` are (runs, N, 3, H, W), `labels` (runs, N).
    """
    frozen = {name: value.detach() for name, value in [*model.named_parameters(), *model.named_buffers()]}
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    stacked = {name: torch.stack([frozen.pop(name)] * len(images)).requires_grad_() for name in names}

    def loss(own: dict[str, Tensor], batch: Tensor, truth: Tensor) -> Tensor:
        with autocast(precision, images.device.type):
            logits = functional_call(model, (own, frozen), (batch,))
        return cross_entropy(logits.float(), truth)

    def step() -> dict[str, Tensor]:
        total = vmap(loss, randomness="different")(stacked, images, labels).sum()
        return dict(zip(names, torch.autograd.grad(total, list(stacked.values())), strict=True))

    return step


def separate(model: nn.Module, images: Tensor, labels: Tensor, precision: str) -> Callable[[], dict[str, Tensor]]:
    """Return a function that computes the same gradients run by run."""
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}

    def step() -> dict[str, Tensor]:
        found = []
        for batch, truth in zip(images, labels, strict=True):
            with autocast(precision, images.device.type):
                logits = model(batch)
            found.append(torch.autograd.grad(cross_entropy(logits.float(), truth), list(trainable.values())))
        return dict(zip(trainable, map(torch.stack, zip(*found, strict=True)), strict=True))

    return step


def seconds(step: Callable[[], object], device: str) -> float:
    """Return the median time of a step after a warm-up."""
    times = []
    for _ in range(REPEATS + 2):
        started = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])


def main(weights: str, backbone: str, method: str, device: str = "cpu") -> None:
    torch.set_num_threads(1)
    model = create(backbone, CLASSES, Path(weights), load(method), 0, SIZE).to(device)
    set_training_mode(model)
    if device == "cpu":
        hasten_convolutions(model)
    images = torch.randn(RUNS, BATCH, SIZE, SIZE, 3, device=device).permute(0, 1, 4, 2, 3)  # channels last
    labels = torch.randint(CLASSES, (RUNS, BATCH), device=device)
    for precision in dict.fromkeys(["fp32", fastest_precision(model, device)]):
        if device == "cpu" and precision == "bf16":
            unfuse_attention(model)
        together, apart = (seconds(make(model, images, labels, precision), device) for make in (packed, separate))
        print(f"{backbone}, {method}, {precision}: packed {1000 * together:.0f} ms, separate {1000 * apart:.0f} ms")


if __name__ == "__main__":
    main(*sys.argv[1:])
