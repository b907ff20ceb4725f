"""How close generated images are to real ones: FID, KID, precision and recall, by torch-fidelity.

FID of few images is mostly bias, so both sides have the same number of images, and what the two halves of the real
images have between them is the floor that it is read against.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch_fidelity import calculate_metrics

from medpeft.base.errors import UserError
from medpeft.data.pixels import centre
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.extractor import registered

SCORES = {"fid": "frechet_inception_distance", "kid": "kernel_inception_distance_mean"}
SCORES |= {"precision": "precision", "recall": "recall"}
KID_SUBSET = 1000  # images, as torch-fidelity takes them; all where there are fewer


class Pixels(Dataset):
    """Images in memory, uint8 (N, size, size, 3), as torch-fidelity wants them: uint8 (3, size, size) each."""

    def __init__(self, pixels: np.ndarray):
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, number: int) -> Tensor:
        return torch.from_numpy(self.pixels[number]).permute(2, 0, 1)

    @property
    def name(self) -> str:
        """What tells these images from any others: hash of their pixels, resolution, number."""
        digest = hashlib.sha256(self.pixels.tobytes()).hexdigest()
        return f"{digest[:16]}-{self.pixels.shape[1]}px-{len(self)}"

    def halves(self) -> tuple["Pixels", "Pixels"]:
        """Return two random halves, of equal size."""
        order = np.random.default_rng(0).permutation(len(self))
        middle = len(self) // 2
        return Pixels(self.pixels[order[:middle]]), Pixels(self.pixels[order[middle : 2 * middle]])


def real_images(images: Path, manifest: pd.DataFrame, chosen: pd.DataFrame, size: int) -> Pixels:
    """Return the centres, `size` pixels wide, of the stored images that the rows `chosen` of a test set name."""
    rows = pd.Index(manifest["image_id"]).get_indexer(chosen["image_id"])
    stored = np.load(images, mmap_mode="r")
    return Pixels(np.ascontiguousarray(centre(stored[np.sort(rows)], size)))


def fidelity(folder: Path, real: Pixels, extractor: str, weights: Path, cache: Path, threads: int, device: str) -> dict:
    """Return fid, kid, precision and recall of generated images against the `real` ones.

    Each sub-folder of `folder` is a repeat, as many PNGs as there are real images; the scores are the means over the
    repeats, and `fid_sd` is the standard deviation where there are several. What `medpeft.generation.reference` found
    about the real images lies in `cache`. Raises `UserError` where the numbers of images differ.
    """
    fix_arithmetic(threads, device)
    repeats = sorted(path for path in folder.iterdir() if path.is_dir())  # not the mark that Snakemake leaves there
    for repeat in repeats:
        found = len(list(repeat.glob("*.png")))
        if found != len(real):
            raise UserError(f"{repeat} has {found} images where the real side has {len(real)}: delete it and run again")
    table = pd.DataFrame([scores(str(repeat), real, extractor, weights, device, cache) for repeat in repeats])
    spread = {"fid_sd": float(table["fid"].std())} if len(repeats) > 1 else {}
    return {name: float(mean) for name, mean in table.mean().items()} | spread


def scores(
    generated: str | Pixels,
    real: Pixels,
    extractor: str,
    weights: Path,
    device: str,
    cache: Path | None = None,
    **options,
) -> dict:
    """Return fid, kid, precision and recall of `generated`, a folder or images, against `real`, in the features of an
    extractor with these `weights`. With `cache`, a folder, what is computed of `real` is kept there under its name.
    """
    found = calculate_metrics(
        input1=generated,
        input2=real,
        fid=True,
        kid=True,
        prc=True,
        kid_subset_size=min(KID_SUBSET, len(real)),
        feature_extractor=registered(extractor),
        feature_extractor_weights_path=str(weights),
        cuda=device == "cuda",
        cache=cache is not None,
        cache_root=cache and str(cache),
        input2_cache_name=real.name if cache else None,
        save_cpu_ram=True,  # images are read in this process, in their order
        verbose=False,
        **options,
    )
    return {name: float(found[key]) for name, key in SCORES.items()}
