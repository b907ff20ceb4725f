"""TSA: task-specific adapters, a 1x1 convolution parallel to each convolution (Li et al. 2022, arXiv 2107.00358).

y = f(h) + r(h) on every convolution of the residual blocks, the stem and the shortcuts left out. The adapter takes the
stride and the groups of its convolution: beside a depthwise one it is a scale per channel. The paper's alignment of
features before its classifier, which is not trained, is left out: here the classifier is trained.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from medpeft.layers import block_convolutions
from medpeft.methods.registry import strategy

INITIAL = 1e-4  # times the identity


@strategy("tsa", title="TSA", family="additive", encoders={"cnn"}, source="arXiv 2107.00358")
def tsa(model: nn.Module) -> None:
    """Add a 1x1 adapter, 1e-4 times the identity, to each block convolution of a frozen timm `model`, in place."""
    for convolution in block_convolutions(model).values():
        convolution.tsa = _adapter(convolution)
        if convolution.kernel_size == (1, 1):
            convolution.forward = partial(_merged, convolution)
        else:
            convolution.register_forward_hook(lambda module, inputs, output: output + module.tsa(inputs[0]))


def _merged(convolution: nn.Conv2d, features: Tensor) -> Tensor:
    """Return what a 1x1 convolution and its adapter give, as the one convolution that they are.

    A training step has three products of matrices then instead of five; beside a larger kernel, whose gradient only
    the adapter's centre needs, it would have more to do.
    """
    kernel = convolution.weight + convolution.tsa.weight
    return functional.conv2d(features, kernel, convolution.bias, convolution.stride, groups=convolution.groups)


def _adapter(convolution: nn.Conv2d) -> nn.Module:
    inputs, outputs, groups = convolution.in_channels, convolution.out_channels, convolution.groups
    if groups == inputs == outputs:
        return ChannelScale(outputs, convolution.stride)
    adapter = nn.Conv2d(inputs, outputs, kernel_size=1, stride=convolution.stride, groups=groups, bias=False)
    identity = INITIAL * torch.eye(outputs // groups, inputs // groups)
    adapter.weight.data.copy_(identity.repeat(groups, 1)[:, :, None, None])
    return adapter


class ChannelScale(nn.Module):
    """A depthwise 1x1 convolution, x of shape (N, channels, H, W), as the product that it is.

    torch 2.14 takes a path through every single channel for such a convolution of fewer than 16 images on a CPU: with
    it a training step of EfficientNet-Lite0 took 2.5 times as long.
    """

    def __init__(self, channels: int, stride: tuple[int, int]):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, 1, 1), INITIAL))
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        if self.stride != (1, 1):
            features = functional.avg_pool2d(features, 1, self.stride)
        return features * self.weight
