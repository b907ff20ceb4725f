"""Forty images with captions, as they are stored, split, and encoded by a diffusion pipeline."""

from pathlib import Path

import numpy as np
import pandas as pd

from medpeft.generation.encode import Encoder, encode
from medpeft.training.captioned import CaptionedLatents, load_captioned

MANIFEST = pd.DataFrame(
    {
        "image_id": [f"i{number:02d}" for number in range(40)],
        "label": ["benign", "malignant", "normal", "benign"] * 10,
        "caption": ["a cyst", "a mass", "", "a cyst"] * 10,
    }
)


def write_images(folder: Path) -> Path:
    """Store the images, of 37 pixels, in `folder`."""
    np.save(folder / "images.npy", np.random.default_rng(0).integers(0, 255, (40, 37, 37, 3), dtype=np.uint8))
    return folder / "images.npy"


def write_encoded(pipeline: Path, folder: Path) -> dict[str, Path]:
    """Encode the centres, of 32 pixels, in `folder`."""
    moments, texts, captions = folder / "moments.npy", folder / "texts.npy", folder / "captions.csv"
    encoded = encode(Encoder(pipeline, 32, "cpu"), write_images(folder), MANIFEST, moments, texts)
    encoded.captions.to_csv(captions, index=False)
    return {"moments": moments, "texts": texts, "captions": captions}


def write_captioned(pipeline: Path, folder: Path) -> tuple[CaptionedLatents, CaptionedLatents]:
    """Encode in `folder` and return the first twenty images for training and the last ten for testing."""
    names = MANIFEST["image_id"]
    splits = ["train"] * 20 + ["validation"] * 10 + ["test"] * 10
    pd.DataFrame({"image_id": names, "split": splits}).to_csv(folder / "split.csv", index=False)
    share = np.arange(20) / 20
    pd.DataFrame({"image_id": names[:20], "share": share}).to_csv(folder / "subset.csv", index=False)
    encoded = write_encoded(pipeline, folder)
    return load_captioned(**encoded, split=folder / "split.csv", subset=folder / "subset.csv", fraction=1)
