"""How many parameters each strategy trains, counted on networks without weights."""

import pandas as pd
import torch

from medpeft.methods.registry import load
from medpeft.models import adapt, architecture, count_parameters, resize


def count(pairs: list[tuple[str, str]], classes: int, image_size: int | None = None) -> pd.DataFrame:
    """Return trainable, head and total parameters of every (backbone, method) of `pairs`.

    The head is one for `classes`; a transformer has as many positions as `image_size` pixels take, or its own number.
    """
    rows = [
        {"backbone": backbone, "method": method} | _count(backbone, method, classes, image_size)
        for backbone, method in pairs
    ]
    return pd.DataFrame(rows)


def _count(backbone: str, method: str, classes: int, image_size: int | None) -> dict[str, int]:
    try:
        with torch.device("meta"):  # a network of any size without its memory
            return _counted(backbone, method, classes, image_size)
    except (NotImplementedError, RuntimeError):  # a tuner that reads the weights, as one that takes their SVD
        return _counted(backbone, method, classes, image_size)


def _counted(backbone: str, method: str, classes: int, image_size: int | None) -> dict[str, int]:
    model = architecture(backbone, num_classes=classes)
    resize(model, image_size)
    return count_parameters(adapt(model, load(method)))
