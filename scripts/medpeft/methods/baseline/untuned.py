"""Untuned: nothing, as the measure of what fine-tuning brings."""

from torch import nn

from medpeft.methods.registry import method


@method(
    "untuned",
    title="Untuned",
    family="baseline",
    encoders={"unet"},
    source="reference strategy",
    trains="nothing, as the measure of what fine-tuning brings",
)
def untuned(model: nn.Module) -> None:
    """Leave a frozen `model` as it is."""
