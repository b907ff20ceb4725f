"""How many parameters each strategy trains, counted on networks without weights."""

import pandas as pd
import torch

from medpeft.methods.registry import load
from medpeft.models import adapt, architecture, count_parameters


def count(pairs: list[tuple[str, str]], classes: int) -> pd.DataFrame:
    """Return trainable, head and total parameters of every (backbone, method) of `pairs` with a head for `classes`."""
    rows = [{"backbone": backbone, "method": method} | _count(backbone, method, classes) for backbone, method in pairs]
    return pd.DataFrame(rows)


def _count(backbone: str, method: str, classes: int) -> dict[str, int]:
    strategy = load(method)
    try:
        with torch.device("meta"):  # a network of any size without its memory
            return count_parameters(adapt(architecture(backbone, num_classes=classes), strategy))
    except (NotImplementedError, RuntimeError):  # a tuner that reads the weights, as one that takes their SVD
        return count_parameters(adapt(architecture(backbone, num_classes=classes), strategy))
