"""Latents and text embeddings of a dataset, computed once: training needs neither autoencoder nor text encoder."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from medpeft.base.files import replacing
from medpeft.data.pixels import centre
from medpeft.networks.diffusion import load_diffusion_pipeline

ENCODER_BATCH = 32  # images, or captions, that are encoded at once


@dataclass(frozen=True)
class Encoder:
    """A diffusion pipeline that encodes, and how.

    Attributes:
        pipeline: the folder of the diffusion pipeline.
        size: to which images are cropped around their centre, in pixels.
        device: `cpu` or `cuda`.
    """

    pipeline: Path
    size: int
    device: str


class Encoded(NamedTuple):
    """What was encoded.

    Attributes:
        captions: image_id, label, caption and text, the row of the caption in `texts`, of each image.
        lengths: `tokens` that the text encoder takes, distinct `captions`, how many of them were `cut` to that length,
            and of how many `images` these are the captions.
    """

    captions: pd.DataFrame
    lengths: dict[str, int]


def encode(encoder: Encoder, images: Path, manifest: pd.DataFrame, moments: Path, texts: Path) -> Encoded:
    """Write the latents of all images and the embeddings of all captions, and return which image has which.

    The first text is that of the empty caption. Captions longer than the text encoder takes are cut, and counted.

    Args:
        encoder: the diffusion pipeline and its settings.
        images: file of uint8 (N, H, H, 3).
        manifest: image_id, label and caption of each image, in their order.
        moments: file to write, an array as `medpeft.training.captioned` describes it.
        texts: file to write, likewise.
    """
    pipeline = load_diffusion_pipeline(encoder.pipeline, unet=None, scheduler=None).to(encoder.device)
    captions = ["", *sorted(set(manifest["caption"]) - {""})]  # captioned.UNCONDITIONAL
    with torch.inference_mode():
        batches = (_embeddings(pipeline, captions[batch]) for batch in _batches(len(captions)))
        _write(texts, batches, len(captions))
        stored = np.load(images, mmap_mode="r")
        batches = (_moments(pipeline, centre(stored[batch], encoder.size)) for batch in _batches(len(stored)))
        _write(moments, batches, len(stored))
    places = {caption: place for place, caption in enumerate(captions)}
    table = manifest[["image_id", "label", "caption"]].assign(text=manifest["caption"].map(places))
    return Encoded(table, _lengths(pipeline, captions, manifest["caption"]))


def _batches(count: int) -> list[slice]:
    return [slice(start, start + ENCODER_BATCH) for start in range(0, count, ENCODER_BATCH)]


def _embeddings(pipeline: StableDiffusionPipeline, captions: list[str]) -> Tensor:
    """Return the embeddings, (captions, tokens, width), that the diffusion pipeline makes of its prompts.

    Its own `encode_prompt` prints the end of each caption that it cuts, and captions may be reports on patients.
    """
    tokenizer, network = pipeline.tokenizer, pipeline.text_encoder
    longest = {"max_length": tokenizer.model_max_length, "truncation": True, "padding": "max_length"}
    tokens = tokenizer(captions, return_tensors="pt", **longest).to(network.device)
    mask = tokens.attention_mask if getattr(network.config, "use_attention_mask", False) else None
    return network(tokens.input_ids, attention_mask=mask)[0]


def _lengths(pipeline: StableDiffusionPipeline, captions: list[str], of_images: pd.Series) -> dict[str, int]:
    """Return how many of the distinct `captions`, and of those of images, are longer than the text encoder takes."""
    tokens = pipeline.tokenizer.model_max_length
    found = pipeline.tokenizer(captions, truncation=False, verbose=False).input_ids
    cut = {caption for caption, ids in zip(captions, found, strict=True) if len(ids) > tokens}
    counts = {"tokens": tokens, "captions": of_images.nunique(), "cut": len(cut), "images": of_images.isin(cut).sum()}
    return {name: int(count) for name, count in counts.items()}


def _moments(pipeline: StableDiffusionPipeline, images: np.ndarray) -> Tensor:
    """Return mean and log variance, (N, 2 * channels, h, w), of the latents of uint8 images (N, H, H, 3)."""
    crops = torch.tensor(images, device=pipeline.vae.device)
    return pipeline.vae.encode(crops.permute(0, 3, 1, 2) / 127.5 - 1).latent_dist.parameters


def _write(path: Path, batches: Iterable[Tensor], count: int) -> None:
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
