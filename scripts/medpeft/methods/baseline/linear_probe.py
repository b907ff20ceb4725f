"""Linear probing: the classification head alone, on frozen features."""

from torch import nn

from medpeft.methods.registry import method

TRAINS = "the classification head alone, on frozen features"


@method(
    "linear_probe",
    "Linear probing",
    family="baseline",
    encoders={"cnn", "vit"},
    source="reference strategy",
    trains=TRAINS,
    on_features=True,
)
def linear_probe(model: nn.Module) -> None:
    """Leave a frozen `model` as it is: every method trains the head."""
