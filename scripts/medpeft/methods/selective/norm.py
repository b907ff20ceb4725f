"""Norm tuning: the affine parameters of every norm of a U-Net (Dutt et al. 2024, arXiv 2305.08252)."""

from torch import nn

from medpeft.methods.registry import method

TRAINS = "the affine parameters of every norm of a U-Net"


@method("norm", "Norm tuning", family="selective", encoders={"unet"}, source="arXiv 2305.08252", trains=TRAINS)
def norm(model: nn.Module) -> None:
    """Make the weights and biases of the GroupNorms and LayerNorms of a frozen diffusers U-Net trainable, in place."""
    for module in model.modules():
        if isinstance(module, nn.GroupNorm | nn.LayerNorm):
            module.requires_grad_(True)
