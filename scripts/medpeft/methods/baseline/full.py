"""Full fine-tuning: every parameter of the network."""

from torch import nn

from medpeft.methods.registry import method

TRAINS = "every parameter of the network"


@method(
    "full",
    "Full fine-tuning",
    family="baseline",
    encoders={"cnn", "vit", "unet"},
    source="reference strategy",
    trains=TRAINS,
)
def full(model: nn.Module) -> None:
    """Make every parameter of a frozen `model` trainable, in place."""
    model.requires_grad_(True)
