"""Features of all images of a dataset in one frozen backbone, for strategies that train nothing but the head."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from medpeft.arithmetic import fix_arithmetic
from medpeft.models import architecture, load_backbone, resize
from medpeft.parts import Part
from medpeft.training import EVALUATION_BATCH, Recipe, predict


def embed(images: np.ndarray, backbone: str, weights: Path, recipe: Recipe) -> np.ndarray:
    """Return what the head of timm's `backbone` sees of the centre crops of uint8 images (N, H, H, 3).

    The features are float32 (N, width).
    """
    fix_arithmetic(recipe.threads, recipe.device)
    model = architecture(backbone, num_classes=0)
    load_backbone(model, load_file(weights), weights)
    resize(model, recipe.image_size)
    model = model.to(recipe.device, memory_format=torch.channels_last)
    blocks = (
        torch.tensor(images[start : start + EVALUATION_BATCH]) for start in range(0, len(images), EVALUATION_BATCH)
    )
    found = [predict(model, Part(block, torch.empty(0), pd.DataFrame()), recipe) for block in blocks]
    return torch.cat(found).numpy()
