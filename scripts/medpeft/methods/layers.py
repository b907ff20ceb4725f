"""The layers of a timm network that methods adapt: block convolutions, and query, key and value projections apart."""

import re

import torch
from torch import Tensor, nn

from medpeft.base.errors import UserError


def adaptable_convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    """Return, by name, the convolutions of what timm's `group_matcher` calls blocks, shortcuts left out.

    Raises `UserError` where `model` has none.
    """
    blocks = model.group_matcher()["blocks"]
    pattern = re.compile(blocks if isinstance(blocks, str) else blocks[0][0])
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and pattern.match(name) and "downsample" not in name
    }
    if not found:
        raise UserError(f"{type(model).__name__} has no convolution blocks to adapt: choose another method for it")
    return found


class Projections(nn.Module):
    """The query, key and value projections of x, float (..., width), in timm's fused order, float (..., 3 * width)."""

    def __init__(self, fused: nn.Linear):
        super().__init__()
        self.q, self.k, self.v = (_slice(fused, part) for part in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.q(x), self.k(x), self.v(x)], dim=-1)


def _slice(fused: nn.Linear, part: int) -> nn.Linear:
    linear = nn.Linear(fused.in_features, fused.out_features // 3, bias=fused.bias is not None, device="meta")
    linear.weight = nn.Parameter(fused.weight.detach().chunk(3)[part].clone(), requires_grad=False)
    if fused.bias is not None:
        linear.bias = nn.Parameter(fused.bias.detach().chunk(3)[part].clone(), requires_grad=False)
    return linear


def split_projections(model: nn.Module) -> None:
    """Replace every fused projection `attn.qkv` of a frozen timm transformer by `Projections` of it, in place."""
    for block in model.blocks:
        block.attn.qkv = Projections(block.attn.qkv)
