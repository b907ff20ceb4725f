"""Linear probing: the classification head alone, on frozen features."""

from torch import nn

from medpeft.methods.registry import strategy


@strategy(
    "linear_probe",
    title="Linear probing",
    family="baseline",
    encoders={"cnn", "vit"},
    source="reference strategy",
    on_features=True,
)
def linear_probe(model: nn.Module) -> None:
    """Leave a frozen `model` as it is: every strategy trains the head."""
