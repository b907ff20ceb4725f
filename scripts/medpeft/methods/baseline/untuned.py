"""Untuned: nothing, as the measure of what fine-tuning brings."""

from torch import nn

from medpeft.methods.registry import method

TRAINS = "nothing, as the measure of what fine-tuning brings"


@method("untuned", "Untuned", family="baseline", encoders={"unet"}, source="reference strategy", trains=TRAINS)
def untuned(model: nn.Module) -> None:
    """Leave a frozen `model` as it is."""
