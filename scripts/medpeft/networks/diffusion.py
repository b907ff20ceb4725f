"""A diffusion pipeline from its folder (see `diffusion_pipeline`), loaded offline, its U-Net under a method."""

from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils.logging import disable_progress_bar

from medpeft.methods.registry import Method
from medpeft.networks.models import adapt

GOLDEN = 0x9E3779B1  # 2 ** 32 over the golden ratio: its multiples lie far apart modulo 2 ** 32


def load_diffusion_pipeline(folder: Path, **parts: Any) -> StableDiffusionPipeline:
    """Return the diffusion pipeline in `folder`; `parts` replace some of its own, and None leaves one out."""
    disable_progress_bar()
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder,
        use_safetensors=True,
        local_files_only=True,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **parts,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def adapted_unet(folder: Path, method: Method) -> UNet2DConditionModel:
    """Return the U-Net of the diffusion pipeline in `folder` under `method`, all else in it frozen.

    New parameters are drawn from torch's global generator.
    """
    unet = UNet2DConditionModel.from_pretrained(
        folder / "unet", torch_dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    return adapt(unet, method)


def noise_seed(seed: int, number: int) -> int:
    """Return the seed, below 2 ** 32, of the noise of the step or image `number` of the run `seed`.

    torch's generator on the CPU takes the lower 32 bits of a seed alone, so runs have to differ in them. The numbers of
    one run follow each other. Runs with seeds below 1,000 are more than a million apart.
    """
    return (seed * GOLDEN + number) % 2**32
