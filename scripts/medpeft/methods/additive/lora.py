"""LoRA: low-rank updates of attention projections (Hu et al. 2022, arXiv 2106.09685), by peft.

On a transformer of queries and values, on a U-Net of queries, keys, values and outputs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from peft import LoraConfig, get_peft_model_state_dict

from medpeft.methods.peft_tuners import export, insert
from medpeft.methods.registry import also, method

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from timm.models import VisionTransformer

RANK = 16  # as published; the scale alpha / rank is 1
RANK_OF_UNET = 4  # as published

TRAINS = "low-rank updates of attention projections, by peft"


@method(
    "lora", "LoRA", family="additive", encoders={"vit"}, source="arXiv 2106.09685; peft", trains=TRAINS, export=export
)
def lora(model: VisionTransformer) -> None:
    """Add peft's LoRA of rank `RANK` to the query and value projections of a frozen timm ViT, in place."""
    insert(model, "lora", r=RANK, lora_alpha=RANK)


def export_of_unet(model: UNet2DConditionModel, folder: Path) -> None:
    """Write the LoRA of a diffusers U-Net to `folder` so that `pipeline.load_lora_weights(folder)` reads it."""
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import convert_state_dict_to_diffusers

    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(model))
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers)


@also("lora", "unet", export=export_of_unet)
def lora_of_unet(model: UNet2DConditionModel) -> None:
    """Add peft's LoRA of rank `RANK_OF_UNET` to all projections of the attentions of a frozen U-Net, in place."""
    projections = ["to_q", "to_k", "to_v", "to_out.0"]
    model.add_adapter(LoraConfig(r=RANK_OF_UNET, lora_alpha=RANK_OF_UNET, target_modules=projections))
