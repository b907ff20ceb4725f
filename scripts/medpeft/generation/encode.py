"""Latents and text embeddings of a dataset, computed once: training needs neither autoencoder nor text encoder."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from medpeft.base.files import replacing
from medpeft.data.pixels import centre
from medpeft.networks.diffusion import load_diffusion_pipeline

BATCH = 32  # images, or captions, that are encoded at once


def encode(
    pipeline: Path, images: Path, manifest: pd.DataFrame, size: int, device: str, moments: Path, texts: Path
) -> pd.DataFrame:
    """Write `moments` and `texts`, arrays as `medpeft.training.captioned` describes them, and return the captions.

    It has image_id, label, caption and text. Images are cropped to their centre of `size` pixels. The first text is
    that of the empty caption. Captions longer than the text encoder takes are cut.
    """
    loaded = load_diffusion_pipeline(pipeline, unet=None, scheduler=None).to(device)
    captions = ["", *sorted(set(manifest["caption"]) - {""})]  # pairs.UNCONDITIONAL
    with torch.inference_mode():
        _write(texts, (_embed(loaded, captions[start : start + BATCH]) for start in _starts(captions)), len(captions))
        pixels = np.load(images, mmap_mode="r")
        batches = (_moments(loaded, pixels[start : start + BATCH], size) for start in _starts(pixels))
        _write(moments, batches, len(pixels))
    places = {caption: place for place, caption in enumerate(captions)}
    return manifest[["image_id", "label", "caption"]].assign(text=manifest["caption"].map(places))


def _starts(sequence) -> range:
    return range(0, len(sequence), BATCH)


def _embed(pipeline: StableDiffusionPipeline, captions: list[str]) -> Tensor:
    """Return the embeddings, (captions, tokens, width), as the pipeline makes them of its prompts."""
    return pipeline.encode_prompt(captions, pipeline.text_encoder.device, 1, do_classifier_free_guidance=False)[0]


def _moments(pipeline: StableDiffusionPipeline, images: np.ndarray, size: int) -> Tensor:
    """Return mean and log variance, (N, 2 * channels, h, w), of the latents of uint8 images (N, H, H, 3)."""
    crops = torch.tensor(centre(images, size), device=pipeline.vae.device)
    return pipeline.vae.encode(crops.permute(0, 3, 1, 2) / 127.5 - 1).latent_dist.parameters


def _write(path: Path, batches, count: int) -> None:
    """Write the tensors of `batches`, `count` rows in all, as one float16 array, batch by batch."""
    done = 0
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        for batch in batches:
            if not done:
                shape = (count, *batch.shape[1:])
                np.lib.format.write_array_header_1_0(stream, {"descr": "<f2", "fortran_order": False, "shape": shape})
            stream.write(batch.half().cpu().numpy().tobytes())
            done += len(batch)
            logging.info("%s: %d of %d", Path(path).name, done, count)
