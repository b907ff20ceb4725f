"""Untuned: nothing, as the measure of what fine-tuning brings."""

from torch import nn

from medpeft.methods.registry import strategy


@strategy("untuned", title="Untuned", family="baseline", encoders={"unet"}, source="reference strategy")
def untuned(model: nn.Module) -> None:
    """Leave a frozen `model` as it is."""
