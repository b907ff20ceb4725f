"""Bias, norm and attention tuning: what these three train together (Dutt et al. 2024, arXiv 2305.08252)."""

from torch import nn

from medpeft.methods.registry import method
from medpeft.methods.selective.attention import attention_of_unet
from medpeft.methods.selective.bias import bias
from medpeft.methods.selective.norm import norm

TRAINS = "what these three train together"


@method(
    "bias_norm_attention",
    "Bias, norm and attention tuning",
    family="selective",
    encoders={"unet"},
    source="arXiv 2305.08252",
    trains=TRAINS,
)
def bias_norm_attention(model: nn.Module) -> None:
    """Make the biases, norms and transformers of a frozen diffusers U-Net trainable, in place."""
    for part in (bias, norm, attention_of_unet):
        part(model)
