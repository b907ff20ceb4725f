"""The layers of a timm network that methods adapt: head, convolutions, and query, key and value projections apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medpeft.base.errors import UserError

if TYPE_CHECKING:
    from timm.models import VisionTransformer


# torch takes every attribute of a module for a tensor or a module: what timm adds to its networks is typed here.
def head(model: nn.Module) -> nn.Linear:
    """Return the classification head of a timm `model`."""
    return model.get_classifier()  # type: ignore[operator]


def head_name(model: nn.Module) -> str:
    """Return the name of the classification head in the state of a timm `model`."""
    return model.pretrained_cfg["classifier"]  # type: ignore[index, return-value]


def adaptable_convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    """Return, by name, the convolutions of what timm's `group_matcher` calls blocks, shortcuts left out.

    Raises:
        UserError: A network has none.
    """
    blocks = model.group_matcher()["blocks"]  # type: ignore[operator]
    pattern = re.compile(blocks if isinstance(blocks, str) else blocks[0][0])
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and pattern.match(name) and "downsample" not in name
    }
    if not found:
        raise UserError(f"{type(model).__name__} has no convolutions to adapt: choose another method for it")
    return found


class Projections(nn.Module):
    """The query, key and value projections of x, float (..., width), in timm's fused order, float (..., 3 * width)."""

    def __init__(self, fused: nn.Linear):
        super().__init__()
        self.q, self.k, self.v = (_slice(fused, third) for third in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Return the three projections side by side."""
        return torch.cat([self.q(x), self.k(x), self.v(x)], dim=-1)


def _slice(fused: nn.Linear, third: int) -> nn.Linear:
    linear = nn.Linear(fused.in_features, fused.out_features // 3, bias=fused.bias is not None, device="meta")
    linear.weight = nn.Parameter(fused.weight.detach().chunk(3)[third].clone(), requires_grad=False)
    if fused.bias is not None:
        linear.bias = nn.Parameter(fused.bias.detach().chunk(3)[third].clone(), requires_grad=False)
    return linear


def split_projections(model: VisionTransformer) -> None:
    """Replace every fused projection `attn.qkv` of a frozen timm transformer by `Projections` of it, in place."""
    for block in model.blocks:
        block.attn.qkv = Projections(block.attn.qkv)
