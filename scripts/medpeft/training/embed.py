"""Features of all images of a dataset in one frozen backbone, for methods that train nothing but the head."""

from pathlib import Path

import numpy as np
import torch

from medpeft.data.augmentation import evaluation_batch
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.memory import as_fits
from medpeft.networks.models import resize
from medpeft.networks.pretrained import pretrained

EMBEDDING_BATCH = 64  # images at once, at most


def embed(images: np.ndarray, backbone: str, weights: Path, image_size: int, threads: int, device: str) -> np.ndarray:
    """Return what the head of timm's `backbone` sees of the centre crops of images.

    Args:
        images: uint8 (N, H, H, 3).
        backbone: Its name in timm.
        weights: The file of its weights.
        image_size: Pixels of a crop.
        threads: Threads of the CPU.
        device: `cpu` or `cuda`.

    Returns:
        The features, float32 (N, width).
    """
    fix_arithmetic(threads, device)
    model = pretrained(backbone, weights)
    resize(model, image_size)
    model = model.to(device).to(memory_format=torch.channels_last).eval()

    def features(size: int) -> torch.Tensor:
        chunks = (torch.tensor(images[start : start + size]) for start in range(0, len(images), size))
        return torch.cat([model(evaluation_batch(chunk.to(device), image_size)).cpu() for chunk in chunks])

    with torch.inference_mode():
        return as_fits(EMBEDDING_BATCH, features)[0].numpy()
