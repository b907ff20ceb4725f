"""Linear probing: the classification head alone, on frozen features."""

from torch import nn

from medpeft.methods.registry import method


@method(
    "linear_probe",
    title="Linear probing",
    family="baseline",
    encoders={"cnn", "vit"},
    source="reference strategy",
    trains="the classification head alone, on frozen features",
    on_features=True,
)
def linear_probe(model: nn.Module) -> None:
    """Leave a frozen `model` as it is: every method trains the head."""
