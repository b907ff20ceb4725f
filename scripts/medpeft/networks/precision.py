"""At what precision a device computes a network."""

from contextlib import AbstractContextManager

import torch
from torch import nn

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


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
