"""Attention tuning: the attention layers and the position embedding (Touvron et al. 2022, arXiv 2203.09795)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from medpeft.methods.registry import also, method

if TYPE_CHECKING:
    from timm.models import VisionTransformer

TRAINS = "the attention layers and the position embedding"


@method("attention", "Attention tuning", family="selective", encoders={"vit"}, source="arXiv 2203.09795", trains=TRAINS)
def attention(model: VisionTransformer) -> None:
    """Make the attention projections and `pos_embed` of a frozen timm ViT trainable, in place.

    Norms and the patch embedding stay frozen. With the position embedding the published counts come out.
    """
    if model.pos_embed is not None:
        model.pos_embed.requires_grad_(True)
    for block in model.blocks:
        block.attn.requires_grad_(True)


@also("attention", "unet")
def attention_of_unet(model: nn.Module) -> None:
    """Make the transformers between the convolutions of a frozen diffusers U-Net trainable, in place.

    These are all its modules named `attentions`, with their norms and feed-forward layers: the published method.
    """
    for name, parameter in model.named_parameters():
        if "attentions" in name:
            parameter.requires_grad_(True)
