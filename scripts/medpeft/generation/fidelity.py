"""How close generated images are to real ones: FID, KID, precision and recall, by torch-fidelity.

FID of few images is mostly bias, so both sides have the same number of images. The floor that it is read against is
the FID of the two halves of the real images.
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
from medpeft.generation.features import Extractor
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.extractor import registered
from medpeft.training.captioned import chosen

# Our name of a metric -> torch-fidelity's.
TORCH_FIDELITY_NAMES = {
    "fid": "frechet_inception_distance",
    "kid": "kernel_inception_distance_mean",
    "precision": "precision",
    "recall": "recall",
}
KID_SUBSET = 1000  # images, torch-fidelity's default; all where there are fewer


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
        """A name that no other images have: hash of the pixels, resolution, number."""
        digest = hashlib.sha256(self.pixels.tobytes()).hexdigest()
        return f"{digest[:16]}-{self.pixels.shape[1]}px-{len(self)}"

    def halves(self) -> tuple["Pixels", "Pixels"]:
        """Return two random halves, of equal size."""
        order = np.random.default_rng(0).permutation(len(self))
        middle = len(self) // 2
        return Pixels(self.pixels[order[:middle]]), Pixels(self.pixels[order[middle : 2 * middle]])


def real_images(images: Path, manifest: pd.DataFrame, split: pd.DataFrame, count: int, size: int) -> Pixels:
    """Return the test images that the generated ones of every run on a dataset are compared with.

    Args:
        images: file of all images, uint8 (N, H, H, 3).
        manifest: names the images in their order.
        split: the split of each image.
        count: how many test images to take; all where there are fewer.
        size: of their centres, in pixels.
    """
    test = chosen(manifest.merge(split[split["split"] == "test"], on="image_id"), count)
    rows = pd.Index(manifest["image_id"]).get_indexer(test["image_id"])
    stored = np.load(images, mmap_mode="r")
    return Pixels(np.ascontiguousarray(centre(stored[np.sort(rows)], size)))


def fidelity(generated: Path, real: Pixels, record: dict, extractor: Extractor, cache: Path) -> dict:
    """Return the metrics of one run by name, with its `status`, `n_train` and `n_test`.

    Args:
        generated: folder with a sub-folder for each repeat, which holds as many PNGs as there are real images.
        real: the real images.
        record: the content of the run's `record.json`.
        extractor: the network in whose features images are compared.
        cache: folder with what `medpeft.generation.reference` found about the real images.

    Returns:
        fid, kid, precision and recall, means over the repeats, and the name of the `feature_extractor`. Where there are
        several repeats, `fid_sd` is the standard deviation of fid. A failed run has None for every metric.

    Raises:
        UserError: the number of generated images is not that of the real ones.
    """
    facts = {"status": record["status"], "n_train": record["n_train"], "n_test": len(real)}
    facts["feature_extractor"] = extractor.name
    if record["status"] != "ok":
        return facts | dict.fromkeys(TORCH_FIDELITY_NAMES)
    fix_arithmetic(extractor.threads, extractor.device)
    repeats = sorted(path for path in generated.iterdir() if path.is_dir())  # Snakemake leaves a file there as its mark
    for repeat in repeats:
        found = len(list(repeat.glob("*.png")))
        if found != len(real):
            raise UserError(f"{repeat} has {found} images where the real side has {len(real)}: delete it and run again")
    table = pd.DataFrame([metrics_of(repeat, real, extractor, cache) for repeat in repeats])
    spread = {"fid_sd": float(table["fid"].std())} if len(repeats) > 1 else {}
    return facts | {str(name): float(mean) for name, mean in table.mean().items()} | spread


def metrics_of(
    generated: Path | Pixels, real: Pixels, extractor: Extractor, cache: Path | None = None
) -> dict[str, float]:
    """Return fid, kid, precision and recall of `generated` images against `real` ones.

    Args:
        generated: a folder of images, or images in memory.
        real: the images that they are compared with.
        extractor: the network in whose features images are compared.
        cache: folder where what is computed of images in memory is kept under their name.
    """
    found = calculate_metrics(
        input1=generated if isinstance(generated, Pixels) else str(generated),
        input2=real,
        fid=True,
        kid=True,
        prc=True,
        kid_subset_size=min(KID_SUBSET, len(real)),
        feature_extractor=registered(extractor.name),
        cache=cache is not None,
        cache_root=cache and str(cache),
        input1_cache_name=generated.name if cache and isinstance(generated, Pixels) else None,
        input2_cache_name=real.name if cache else None,
        save_cpu_ram=True,  # images are read in this process, in their order
        **extractor.options,
    )
    return {name: float(found[theirs]) for name, theirs in TORCH_FIDELITY_NAMES.items()}
