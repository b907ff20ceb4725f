"""Faster ways through a network on a CPU. They give the same results but for rounding.

`hasten` is the one way in: it takes all of them, or none where `ENABLED` is False. Only their speed depends on the
release of torch. After an upgrade, compare both settings in `make benchmark`.
"""

from torch import Tensor, nn
from torch.nn import functional

ENABLED = True
LEAST_REACH = 1  # pixels around its own that a kernel keeps: see ChannelScale in methods/additive/tsa.py


def hasten(model: nn.Module, precision: str) -> None:
    """Let `model` take the faster ways of a CPU, in place; its results move by rounding alone.

    Each convolution that can be one becomes a `TrimmedConv2d`, and those of 1x1 pixels are dilated (`_dilate`). In bf16
    timm's attention layers multiply matrices one by one.

    Args:
        model: A network of timm.
        precision: At which it is computed: fp32, fp16 or bf16.
    """
    if not ENABLED:
        return
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            module.register_forward_pre_hook(_dilate)
        elif type(module) is nn.Conv2d and _is_centred(module) and _reach(module) > LEAST_REACH:
            module.__class__ = TrimmedConv2d
    if precision == "bf16":
        _unfuse_attention(model)


def _unfuse_attention(model: nn.Module) -> None:
    """Let timm's attention layers in `model` multiply matrices one by one: on a CPU in bf16 twice as fast to train."""
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False  # type: ignore[assignment]  # torch takes every attribute for a tensor or module


class TrimmedConv2d(nn.Conv2d):
    """A centred convolution that leaves out what its kernel has beyond the reach of a small map.

    On a map of 2x2 pixels a kernel of 5x5 is the one of 3x3 in its middle: the rest meets nothing but padding and has a
    gradient of 0. Full fine-tuning of EfficientNet-Lite0 at 64 px takes a tenth less time on a CPU.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Return the maps, float (N, out_channels, H, W), of `features`, float (N, in_channels, H, W)."""
        reach = max(LEAST_REACH, max(features.shape[-2:]) - 1)
        if (excess := _reach(self) - reach) <= 0:
            return super().forward(features)
        kernel = self.weight[:, :, excess:-excess, excess:-excess]
        return functional.conv2d(features, kernel, self.bias, self.stride, reach, groups=self.groups)


def _dilate(convolution: nn.Conv2d, inputs: tuple[Tensor]) -> None:
    """Dilate a kernel of 1x1 pixels, which has nothing to dilate, unless the maps are of 1x1 pixels too.

    On one thread torch 2.14 keeps a convolution of fewer than 16 images from oneDNN, unless it is strided or dilated
    (`use_mkldnn` in aten/src/ATen/native/Convolution.cpp). Only on maps of a single pixel is its own way faster.
    Training steps with 15 images of 64 px: EfficientNet-Lite0 59 ms instead of 72, or 35 instead of 49 where biases
    alone are trained; ResNet-50 224 instead of 330.
    """
    convolution.dilation = (2, 2) if max(inputs[0].shape[-2:]) > 1 else (1, 1)


def _is_centred(convolution: nn.Conv2d) -> bool:
    """Return whether kernels are square, on their pixel, and meet zeros around the map."""
    height, width = convolution.kernel_size
    centred = height == width and height % 2 == 1 and convolution.padding == (height // 2, width // 2)
    return centred and convolution.dilation == (1, 1) and convolution.padding_mode == "zeros"


def _reach(convolution: nn.Conv2d) -> int:
    """Return how many pixels around its own a centred kernel reaches, which is its padding."""
    return convolution.kernel_size[0] // 2
