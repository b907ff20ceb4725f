"""What torch-fidelity, the independent reference, scores of two folders of images."""

from pathlib import Path

import numpy as np
import torch_fidelity
from PIL import Image

from medpeft.generation.features import Extractor
from medpeft.networks.extractor import registered


def write_folder(folder: Path, pixels: np.ndarray) -> Path:
    """Write images, uint8 (N, H, W, 3), into a new `folder` as numbered PNG files, and return it."""
    folder.mkdir(parents=True)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number:05d}.png")
    return folder


def torch_scores(first: Path, second: Path, extractor: Extractor) -> list[float]:
    """Return FID, KID (over all images at once), precision and recall of two folders of as many images."""
    found = torch_fidelity.calculate_metrics(
        input1=str(first),
        input2=str(second),
        fid=True,
        kid=True,
        prc=True,
        kid_subset_size=len(list(second.glob("*.png"))),
        feature_extractor=registered(extractor.name),
        feature_extractor_weights_path=str(extractor.weights),
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    names = ("frechet_inception_distance", "kernel_inception_distance_mean", "precision", "recall")
    return [found[name] for name in names]
