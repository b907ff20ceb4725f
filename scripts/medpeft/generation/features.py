"""Features of real and generated images in the network that a study compares them by."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY
from torch_fidelity.utils import create_feature_extractor

from medpeft.networks.device import fix_arithmetic
from medpeft.networks.extractor import registered

BATCH = 64  # images at once


def features(batches: Iterable[np.ndarray], extractor: str, weights: Path, threads: int, device: str) -> np.ndarray:
    """Return the features, float32 (N, channels), of uint8 images that come in batches (n, size, size, 3).

    They are those that FID is computed of, by an extractor with these `weights`.
    """
    fix_arithmetic(threads, device)
    name = registered(extractor)
    layer = FEATURE_EXTRACTORS_REGISTRY[name].get_default_feature_layer_for_metric("fid")
    network = create_feature_extractor(
        name, [layer], cuda=device == "cuda", feature_extractor_weights_path=str(weights), verbose=False
    )
    with torch.inference_mode():
        found = [network(torch.tensor(batch).permute(0, 3, 1, 2).to(device))[0].float().cpu() for batch in batches]
    return torch.cat(found).numpy()
