"""BitFit: every bias of a transformer (Ben Zaken et al. 2022, arXiv 2106.10199)."""

from torch import nn

from medpeft.methods.registry import method
from medpeft.methods.selective.bias import bias

TRAINS = "every bias of a transformer"


@method("bitfit", "BitFit", family="selective", encoders={"vit"}, source="arXiv 2106.10199", trains=TRAINS)
def bitfit(model: nn.Module) -> None:
    """Make every parameter named `bias` of a frozen `model` trainable, in place."""
    bias(model)
