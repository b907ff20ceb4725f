"""TSA: task-specific adapters, a 1x1 convolution parallel to each convolution (Li et al. 2022, arXiv 2107.00358).

y = f(h) + r(h) on every convolution of the residual blocks, the stem and the shortcuts left out. The adapter takes the
stride and the groups of its convolution: beside a depthwise one it is a scale per channel. The paper's alignment of
features before its classifier, which is not trained, is left out: here the classifier is trained.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from medpeft.methods.layers import adaptable_convolutions
from medpeft.methods.registry import method

INITIAL = 1e-4  # times the identity

TRAINS = "task-specific adapters, a 1x1 convolution parallel to each convolution"


class AdaptedConv2d(nn.Conv2d):
    """A 1x1 convolution and its adapter `tsa` as the single convolution that they are together.

    A training step has three products of matrices then instead of five. Beside a larger kernel, of whose gradient the
    adapter needs the centre alone, it would have more to do. In half precision the sum is rounded, as a kernel is that
    is trained in full.
    """

    tsa: nn.Conv2d

    def forward(self, features: Tensor) -> Tensor:
        """Return the maps of both, float (N, out_channels, H, W)."""
        return self._conv_forward(features, self.weight + self.tsa.weight, self.bias)


@method("tsa", "TSA", family="additive", encoders={"cnn"}, source="arXiv 2107.00358", trains=TRAINS)
def tsa(model: nn.Module) -> None:
    """Add a 1x1 adapter, 1e-4 times the identity, to the convolutions of a frozen timm `model`'s blocks, in place."""
    for convolution in adaptable_convolutions(model).values():
        convolution.tsa = adapter_beside(convolution)
        if type(convolution) is nn.Conv2d and convolution.weight.shape == convolution.tsa.weight.shape:
            convolution.__class__ = AdaptedConv2d
        else:
            convolution.register_forward_hook(lambda module, inputs, output: output + module.tsa(inputs[0]))


def adapter_beside(convolution: nn.Conv2d) -> nn.Module:
    """Return the adapter of `convolution`, 1e-4 times the identity."""
    inputs, outputs, groups = convolution.in_channels, convolution.out_channels, convolution.groups
    stride = cast(tuple[int, int], convolution.stride)
    if groups == inputs == outputs:
        return ChannelScale(outputs, stride)
    adapter = nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, groups=groups, bias=False)
    identity = INITIAL * torch.eye(outputs // groups, inputs // groups)
    adapter.weight.data.copy_(identity.repeat(groups, 1)[:, :, None, None])
    return adapter


class ChannelScale(nn.Module):
    """A depthwise 1x1 convolution, x of shape (N, channels, H, W), as a product.

    torch 2.14 takes a path through every single channel for such a convolution of fewer than 16 images on a CPU: with
    it a training step of EfficientNet-Lite0 took 2.5 times as long. Every second pixel is a pool of one pixel, for the
    gradient of a slice is filled with zeros and copied once for each axis.
    """

    def __init__(self, channels: int, stride: tuple[int, int]):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, 1, 1), INITIAL))
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        """Return every `stride`-th pixel of `features`, scaled by channel."""
        if self.stride != (1, 1):
            features = functional.avg_pool2d(features, 1, self.stride)
        return features * self.weight
