"""Bias tuning: every bias, those of the norms included (Cai et al. 2020, arXiv 2007.11622)."""

from torch import nn

from medpeft.methods.registry import method

TRAINS = "every bias, those of the norms included"


@method("bias", "Bias tuning", family="selective", encoders={"cnn", "unet"}, source="arXiv 2007.11622", trains=TRAINS)
def bias(model: nn.Module) -> None:
    """Make every parameter named `bias` of a frozen `model` trainable, in place."""
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[2] == "bias":
            parameter.requires_grad_(True)
