"""Full fine-tuning: every parameter of the network."""

from torch import nn

from medpeft.methods.registry import method


@method(
    "full",
    title="Full fine-tuning",
    family="baseline",
    encoders={"cnn", "vit", "unet"},
    source="reference strategy",
    trains="every parameter of the network",
)
def full(model: nn.Module) -> None:
    """Make every parameter of a frozen `model` trainable, in place."""
    model.requires_grad_(True)
