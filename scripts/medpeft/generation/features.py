"""Features of real and generated images in the network that a study compares them by."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY
from torch_fidelity.utils import create_feature_extractor

from medpeft.data.pixels import centre, read
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.extractor import registered

FEATURE_BATCH = 64  # images at once


@dataclass(frozen=True)
class Extractor:
    """A network that describes images, and what it runs on.

    Attributes:
        name: `inception`, or a backbone's name in timm.
        weights: the file of its weights.
        threads: how many it takes on a CPU.
        device: `cpu` or `cuda`.
    """

    name: str
    weights: Path
    threads: int
    device: str

    @property
    def options(self) -> dict[str, Any]:
        """The arguments by which every function of torch-fidelity loads its weights."""
        return {
            "feature_extractor_weights_path": str(self.weights),
            "cuda": self.device == "cuda",
            "verbose": False,
        }


def real_features(images: Path, size: int, extractor: Extractor) -> np.ndarray:
    """Return the features, float32 (N, channels), of the centres of all stored images.

    Args:
        images: file of uint8 (N, H, H, 3).
        size: of the centres, in pixels.
        extractor: the network.
    """
    stored = np.load(images, mmap_mode="r")
    starts = range(0, len(stored), FEATURE_BATCH)
    return features((centre(stored[start : start + FEATURE_BATCH], size) for start in starts), extractor)


def generated_features(folder: Path, files: list[str], extractor: Extractor) -> np.ndarray:
    """Return the features, float32 (N, channels), of the generated images `files` of `folder`."""
    starts = range(0, len(files), FEATURE_BATCH)
    return features((read(folder, files[start : start + FEATURE_BATCH]) for start in starts), extractor)


def features(batches: Iterable[np.ndarray], extractor: Extractor) -> np.ndarray:
    """Return the features that FID is computed of, float32 (N, channels).

    Args:
        batches: uint8 images, (n, size, size, 3) each.
        extractor: the network.
    """
    fix_arithmetic(extractor.threads, extractor.device)
    name = registered(extractor.name)
    layer = FEATURE_EXTRACTORS_REGISTRY[name].get_default_feature_layer_for_metric("fid")
    network = create_feature_extractor(name, [layer], **extractor.options)
    with torch.inference_mode():
        found = [
            network(torch.tensor(batch).permute(0, 3, 1, 2).to(extractor.device))[0].float().cpu() for batch in batches
        ]
    return torch.cat(found).numpy()
