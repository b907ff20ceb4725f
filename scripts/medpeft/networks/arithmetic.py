"""How a device computes: threads, precision, memory."""

import math
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from medpeft.base import gpus
from medpeft.base.errors import OutOfMemory

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
LEAST_REACH = 1  # pixels around its own that a kernel keeps: see ChannelScale in methods/tsa.py
EXHAUSTED = ("allocate memory", "not enough memory", "ALLOC_FAILED")  # in a RuntimeError; the last of cuBLAS and cuDNN


def fix_arithmetic(threads: int, device: str) -> None:
    """Make equal runs add up in equal order: a fixed number of CPU threads, deterministic kernels on one GPU.

    Where a GPU has no deterministic kernel for an operation, torch warns in the log and goes on.
    """
    torch.set_num_threads(threads)
    if device == "cuda":
        gpus.bind()
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as cuBLAS asks for
        torch.use_deterministic_algorithms(True, warn_only=True)


def autocast(precision: str, device: str) -> AbstractContextManager:
    """Return the context in which networks compute on `device` at `precision`: fp32, fp16 or bf16."""
    return torch.autocast(device, DTYPES.get(precision), enabled=precision in DTYPES)


def fastest_precision(model: nn.Module, device: str) -> str:
    """Return `bf16` where the hardware has it and `model` gains from it, otherwise `fp32`.

    On a CPU transformers do and convolutions do not: a training step of the small ViT took 30 ms instead of 65, one of
    EfficientNet-Lite0 141 ms instead of 60 (batches of 16, 56 px, one thread of a processor with AVX512-BF16).
    """
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capable = torch.cpu.get_capabilities()
    native = capable.get("avx512_bf16", False) or capable.get("amx_bf16", False)
    convolving = sum(isinstance(module, nn.Conv2d) for module in model.modules()) > 1  # one embeds the patches of a ViT
    return "bf16" if native and not convolving else "fp32"


def unfuse_attention(model: nn.Module) -> None:
    """Let timm's attention layers in `model` multiply matrices one by one: on a CPU in bf16 twice as fast to train."""
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False


class TrimmedConv2d(nn.Conv2d):
    """A convolution that leaves out what its kernel has beyond the reach of a small map.

    On a map of 2x2 pixels a kernel of 5x5 is the one of 3x3 in its middle: the rest meets nothing but padding and has a
    gradient of 0. Full fine-tuning of EfficientNet-Lite0 at 64 px takes a tenth less time on a CPU.
    """

    def forward(self, features: Tensor) -> Tensor:
        reach = max(LEAST_REACH, max(features.shape[-2:]) - 1)
        if (excess := self.padding[0] - reach) <= 0:
            return super().forward(features)
        kernel = self.weight[:, :, excess:-excess, excess:-excess]
        return functional.conv2d(features, kernel, self.bias, self.stride, reach, groups=self.groups)


def hasten_convolutions(model: nn.Module) -> None:
    """Let the convolutions in `model` take the fast ways of a CPU, in place; results move by rounding alone.

    Each that can be one becomes a `TrimmedConv2d`, and those of 1x1 pixels are dilated (`_dilate`).
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            module.register_forward_pre_hook(_dilate)
        elif type(module) is nn.Conv2d and _is_centred(module) and module.padding[0] > LEAST_REACH:
            module.__class__ = TrimmedConv2d


def _dilate(convolution: nn.Conv2d, inputs: tuple[Tensor]) -> None:
    """Dilate a kernel of 1x1 pixels, which has nothing to dilate, unless the maps are of 1x1 pixels too.

    On one thread torch 2.14 keeps a convolution of fewer than 16 images from oneDNN, unless it is strided or dilated
    (`use_mkldnn` in aten/src/ATen/native/Convolution.cpp), though only on maps of a single pixel its own way is faster.
    Training steps with 15 images of 64 px: EfficientNet-Lite0 59 ms instead of 72, or 35 instead of 49 where biases
    alone are trained; ResNet-50 224 instead of 330.
    """
    convolution.dilation = (2, 2) if max(inputs[0].shape[-2:]) > 1 else (1, 1)


def _is_centred(convolution: nn.Conv2d) -> bool:
    """Return whether kernels are square, on their pixel, and meet zeros around the map."""
    height, width = convolution.kernel_size
    centred = height == width and height % 2 == 1 and convolution.padding == (height // 2, width // 2)
    return centred and convolution.dilation == (1, 1) and convolution.padding_mode == "zeros"


def as_fits(size: int, work: Callable[[int], Tensor]) -> tuple[Tensor, int]:
    """Return what `work(size)` gives, and the size, which is halved until the work fits in memory."""
    while True:
        try:
            with memory_errors():
                return work(size), size
        except OutOfMemory:
            if size == 1:
                raise
        size = math.ceil(size / 2)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn the ways in which torch reports exhausted memory into `OutOfMemory`."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory("out of memory") from error
    except RuntimeError as error:
        if not any(words in str(error) for words in EXHAUSTED):
            raise
        raise OutOfMemory("out of memory") from error


def peak_memory(device: str) -> int:
    """Return the bytes of the highest memory use so far: of the GPU, or of this process on a CPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
