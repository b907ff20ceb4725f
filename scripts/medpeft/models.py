"""Networks: a pretrained timm backbone, a fresh head, one strategy, and the delta that training leaves behind."""

from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from medpeft.errors import UserError
from medpeft.methods.registry import Strategy


def create(backbone: str, classes: int, weights: Path, strategy: Strategy, seed: int) -> nn.Module:
    """Return timm's `backbone` with the pretrained `weights`, a head for `classes` drawn from `seed`, and `strategy`.

    Everything is frozen but what the strategy trains and the head; kernels lie channels last, which convolutions run
    fastest on. Raises `UserError` where the strategy is not defined
    on this kind of network or the weights do not fit it.
    """
    torch.manual_seed(seed)
    model = timm.create_model(backbone, num_classes=classes)
    load_backbone(model, load_file(weights), weights)
    return adapt(model, strategy).to(memory_format=torch.channels_last)


def adapt(model: nn.Module, strategy: Strategy) -> nn.Module:
    """Freeze `model`, apply `strategy` to it in place, make its head trainable, and return it."""
    if encoder_kind(model) not in strategy.encoders:
        raise UserError(
            f"the method {strategy.name!r} is defined on {', '.join(sorted(strategy.encoders))}, "
            f"and {type(model).__name__} is of another kind: take the pair out of the study's experiments"
        )
    model.requires_grad_(False)
    strategy.adapt(model)
    model.get_classifier().requires_grad_(True)
    return model


def encoder_kind(model: nn.Module) -> str:
    """Return `cnn` for a network with BatchNorm layers, otherwise `other`."""
    return "cnn" if any(isinstance(module, _BatchNorm) for module in model.modules()) else "other"


def load_backbone(model: nn.Module, state: dict[str, Tensor], origin: Path) -> None:
    """Load `state` into `model`, all but its head; anything else that is missing or left over is a `UserError`."""
    head = f"{model.pretrained_cfg['classifier']}."
    state = {name: tensor for name, tensor in state.items() if not name.startswith(head)}
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise UserError(f"{origin} does not fit {type(model).__name__}: {error}") from error
    wrong = [name for name in missing if not name.startswith(head)] + unexpected
    if wrong:
        raise UserError(
            f"{origin} does not fit {type(model).__name__}: {len(wrong)} tensors differ, such as {wrong[0]}"
        )


def set_training_mode(model: nn.Module) -> None:
    """Put `model` into training mode, its BatchNorms into evaluation mode unless all of the network is trained.

    One policy for all strategies: under full fine-tuning batches are normalised by their own statistics, and the
    running ones belong to the delta; under frozen kernels the pretrained statistics are used and never change, also by
    the methods that train the affine part (batchnorm, bias). Batch statistics would rescale features that the frozen
    kernels rely on: EfficientNet-Lite0 with BatchNorm tuning on BUSI (64 px, 10 epochs, rate 0.01) reached a micro-F1
    of .66 with pretrained statistics and .47 with those of the batch, while full fine-tuning at 0.001 fell to the
    majority class with pretrained ones.
    """
    live = _has_live_statistics(model)
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train(live)


def _has_live_statistics(model: nn.Module) -> bool:
    return all(parameter.requires_grad for parameter in model.parameters())


def delta(model: nn.Module) -> dict[str, Tensor]:
    """Return what training can change, by its name in the state: trainable parameters and live BatchNorm statistics."""
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    if _has_live_statistics(model):
        names.update(name for name, _ in model.named_buffers())
    return {name: _copy(tensor) for name, tensor in model.state_dict().items() if name in names}


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def load_delta(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load a delta into `model`; one of another strategy or head is a `UserError`."""
    expected = delta(model).keys()
    if tensors.keys() != expected:
        raise UserError(f"the adapter does not belong to this model: {len(tensors.keys() ^ expected)} tensors differ")
    model.load_state_dict(tensors, strict=False)


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Return the numbers of trainable parameters (head included), of the head's, and of all."""
    return {
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "head_parameters": sum(p.numel() for p in model.get_classifier().parameters()),
        "total_parameters": sum(p.numel() for p in model.parameters()),
    }
