"""How many parameters each method trains, counted on networks without weights."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import nn

from medpeft.methods.registry import load
from medpeft.networks.models import adapt, architecture, count_parameters, resize


def count(
    combinations: list[tuple[str, str]],
    classes: int,
    image_size: int | None = None,
    unets: dict[str, dict[str, Any]] | None = None,
) -> pd.DataFrame:
    """Return trainable, head and total parameters of methods on backbones, one row each.

    Args:
        combinations: Each a backbone and a method.
        classes: How many outputs a head has.
        image_size: In pixels. A transformer has as many positions as that takes; with None it has its own number.
        unets: By backbone that is a diffusion pipeline, the configuration of its U-Net, which has no head.
    """
    rows = []
    for backbone, method in combinations:
        configuration = (unets or {}).get(backbone)
        build = partial(_unet, configuration) if configuration else partial(_network, backbone, classes, image_size)
        rows.append({"backbone": backbone, "method": method} | _count(build, method))
    return pd.DataFrame(rows)


def _count(build: Callable[[], nn.Module], method: str) -> dict[str, int]:
    try:
        with torch.device("meta"):  # a network of any size without its memory
            return count_parameters(adapt(build(), load(method)))
    except (NotImplementedError, RuntimeError):  # a tuner that reads the weights, as one that takes their SVD
        return count_parameters(adapt(build(), load(method)))


def _network(backbone: str, classes: int, image_size: int | None) -> nn.Module:
    model = architecture(backbone, num_classes=classes)
    resize(model, image_size)
    return model


def _unet(configuration: dict[str, Any]) -> nn.Module:
    from diffusers import UNet2DConditionModel  # takes seconds, and not every study has one

    unet: nn.Module = UNet2DConditionModel.from_config(configuration)
    return unet
