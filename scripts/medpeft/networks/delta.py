"""The delta: what training leaves of a network, its trainable parameters and the statistics that it updates.

It serves timm's networks and the U-Net of a diffusion pipeline alike.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from medpeft.base.errors import UserError
from medpeft.base.files import replacing


def mark_as_updated(module: nn.Module) -> None:
    """Count the buffers of `module`, the running statistics of a BatchNorm, among what training changes."""
    module.buffers_are_updated = True  # type: ignore[assignment]  # torch takes every attribute for a tensor or module


def is_updated(module: nn.Module) -> bool:
    """Tell whether training changes the buffers of `module`."""
    return "buffers_are_updated" in vars(module)


def delta(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of what training can change, by their names in the state.

    These are the trainable parameters, and the buffers of modules that are marked as updated.
    """
    parameters = {name: _copy(tensor) for name, tensor in model.named_parameters() if tensor.requires_grad}
    buffers = {
        f"{place}.{name}": _copy(tensor)
        for place, module in model.named_modules()
        if is_updated(module)
        for name, tensor in module.named_buffers(recurse=False)
    }
    return parameters | buffers


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def save_delta(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a delta, or an empty one for a run that left none, to the file `path` as safetensors."""
    with replacing(path) as temporary:
        save_file(tensors, temporary)


def load_delta(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load a delta into `model`, in place.

    Raises:
        UserError: It is of another method, head or network.
    """
    found, expected = ({name: tensor.shape for name, tensor in state.items()} for state in (tensors, delta(model)))
    wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if wrong:
        raise UserError(
            f"the adapter does not belong to this model: {len(wrong)} tensors differ, such as {wrong[0]}; delete the "
            "run's folder and run it again"
        )
    model.load_state_dict(tensors, strict=False)
