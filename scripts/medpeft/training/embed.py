"""Features of all images of a dataset in one frozen backbone, for methods that train nothing but the head."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from medpeft.data.augmentation import evaluation_batch
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.memory import as_fits
from medpeft.networks.models import architecture, load_backbone, resize

BATCH = 64  # images at once, at most


def embed(images: np.ndarray, backbone: str, weights: Path, image_size: int, threads: int, device: str) -> np.ndarray:
    """Return what the head of timm's `backbone` sees of the centre crops of uint8 images (N, H, H, 3).

    The features are float32 (N, width).
    """
    fix_arithmetic(threads, device)
    model = architecture(backbone, num_classes=0)
    load_backbone(model, load_file(weights), weights)
    resize(model, image_size)
    model = model.to(device, memory_format=torch.channels_last).eval()

    def features(size: int) -> torch.Tensor:
        blocks = (torch.tensor(images[start : start + size]) for start in range(0, len(images), size))
        return torch.cat([model(evaluation_batch(block.to(device), image_size)).cpu() for block in blocks])

    with torch.inference_mode():
        return as_fits(BATCH, features)[0].numpy()
