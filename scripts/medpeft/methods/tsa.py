"""TSA: task-specific adapters, a 1x1 convolution parallel to each convolution (Li et al. 2022, arXiv 2107.00358).

y = f(h) + r(h) on every convolution of the residual blocks, the stem and the shortcuts left out. The adapter takes the
stride and the groups of its convolution: beside a depthwise one it is a scale per channel.
"""

import re

import torch
from torch import nn

from medpeft.errors import UserError
from medpeft.methods.registry import strategy


@strategy("tsa", title="TSA", family="additive", encoders={"cnn"}, source="arXiv 2107.00358")
def tsa(model: nn.Module) -> None:
    """Add a 1x1 adapter, 1e-4 times the identity, to each block convolution of a frozen timm `model`, in place."""
    for convolution in _block_convolutions(model):
        convolution.tsa = _adapter(convolution)
        convolution.register_forward_hook(lambda module, inputs, output: output + module.tsa(inputs[0]))


def _block_convolutions(model: nn.Module) -> list[nn.Conv2d]:
    """Return the convolutions of what timm's `group_matcher` calls blocks, shortcuts left out."""
    blocks = model.group_matcher()["blocks"]
    pattern = re.compile(blocks if isinstance(blocks, str) else blocks[0][0])
    found = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and pattern.match(name) and "downsample" not in name
    ]
    if not found:
        raise UserError(f"tsa finds no convolution blocks in {type(model).__name__}: choose another method for it")
    return found


def _adapter(convolution: nn.Conv2d) -> nn.Conv2d:
    adapter = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        kernel_size=1,
        stride=convolution.stride,
        groups=convolution.groups,
        bias=False,
    )
    per_group = convolution.out_channels // convolution.groups
    identity = 1e-4 * torch.eye(per_group, convolution.in_channels // convolution.groups)
    adapter.weight.data.copy_(identity.repeat(convolution.groups, 1)[:, :, None, None])
    return adapter
