"""SSF: scale and shift of the features after each operation (Lian et al. 2022, arXiv 2210.08823).

The paper places a pair after each operation of a transformer. On a CNN the operations are its convolutions; their
BatchNorms stay frozen and act as fixed affine maps right behind, so a second pair there would be redundant.
"""

import torch
from torch import Tensor, nn

from medpeft.methods.registry import strategy


class ScaleShift(nn.Module):
    """y = scale * x + shift per channel, for x of shape (N, channels, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(channels, 1, 1).normal_(1, 0.02))
        self.shift = nn.Parameter(torch.empty(channels, 1, 1).normal_(0, 0.02))

    def forward(self, features: Tensor) -> Tensor:
        return torch.addcmul(self.shift, features, self.scale)


@strategy("ssf", title="SSF", family="additive", encoders={"cnn"}, source="arXiv 2210.08823")
def ssf(model: nn.Module) -> None:
    """Add a scale and a shift behind each convolution of a frozen `model`, in place; they start near the identity."""
    for module in [module for module in model.modules() if isinstance(module, nn.Conv2d)]:
        module.ssf = ScaleShift(module.out_channels)
        module.register_forward_hook(lambda module, _, features: module.ssf(features))
