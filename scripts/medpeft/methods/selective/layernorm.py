"""LayerNorm tuning: the affine parameters of every LayerNorm (Basu et al. 2023, arXiv 2304.01917)."""

from torch import nn

from medpeft.methods.registry import method

TRAINS = "the affine parameters of every LayerNorm"


@method("layernorm", "LayerNorm tuning", family="selective", encoders={"vit"}, source="arXiv 2304.01917", trains=TRAINS)
def layernorm(model: nn.Module) -> None:
    """Make the LayerNorm weights and biases of a frozen `model` trainable, in place."""
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.requires_grad_(True)
