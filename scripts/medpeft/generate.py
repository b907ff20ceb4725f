"""Images of a fine-tuned pipeline for captions of the test set or of the training images."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import diffusers
import numpy as np
import pandas as pd
import torch
from diffusers import SchedulerMixin, StableDiffusionPipeline
from safetensors.torch import load_file
from torch.nn.utils import parametrize

from medpeft.diffusion import adapted_unet, autocast, load_pipeline
from medpeft.errors import UserError
from medpeft.files import sha256
from medpeft.methods.registry import load
from medpeft.models import load_delta
from medpeft.pairs import UNCONDITIONAL
from medpeft.training import as_fits, fix_arithmetic

COLUMNS = ["file", "image_id", "label", "caption", "seed", "sha256"]


@dataclass(frozen=True)
class Sampling:
    """How images are generated; the study schema describes each field under `generation`."""

    scheduler: str | None
    sampling_steps: int
    guidance: float
    sampling_batch: int
    precision: str
    threads: int
    device: str
    image_size: int


def generate(
    pipeline: Path,
    method: str,
    adapter: Path,
    texts: np.ndarray,
    prompts: pd.DataFrame,
    sampling: Sampling,
    seed: int,
    repeats: int,
    folder: Path,
) -> pd.DataFrame:
    """Write `repeats` PNGs for each of `prompts` into `folder` and return a row with `COLUMNS` for each.

    The first image of a prompt lies in the sub-folder `0`, the second in `1`. `prompts` has image_id, label, caption
    and `text`, its row of `texts`, as in `medpeft.pairs.Pairs`. The U-Net is that of
    the folder `pipeline` with the delta read back from `adapter`. Each image starts from noise of its own seed, so that
    the batch size makes no difference but for rounding.
    """
    fix_arithmetic(sampling.threads, sampling.device)
    unet = adapted_unet(pipeline, load(method))
    load_delta(unet, load_file(adapter))
    loaded = load_pipeline(pipeline, unet=unet.eval(), text_encoder=None, tokenizer=None).to(sampling.device)
    if sampling.scheduler:
        loaded.scheduler = _scheduler(sampling.scheduler).from_config(loaded.scheduler.config)
    names = [f"{repeat}/{number:05d}.png" for repeat in range(repeats) for number in range(len(prompts))]
    files = pd.concat([prompts] * repeats, ignore_index=True)
    files = files.assign(file=names, seed=[seed * 2**32 + number for number in range(len(names))])
    for repeat in range(repeats):
        (folder / str(repeat)).mkdir(parents=True, exist_ok=True)
    rows = files["text"].to_numpy()
    # A strategy that computes weights from others does so once, not at every step.
    with torch.inference_mode(), parametrize.cached():
        as_fits(sampling.sampling_batch, lambda size: _write(loaded, texts, rows, files, sampling, size, folder))
    files["sha256"] = [sha256(folder / file) for file in files["file"]]
    return files[COLUMNS]


def _scheduler(name: str) -> type[SchedulerMixin]:
    found = getattr(diffusers, name, None)
    if not (isinstance(found, type) and issubclass(found, SchedulerMixin)):
        raise UserError(f"generation.scheduler names {name!r}, which diffusers lacks: take one such as DDIMScheduler")
    return found


def _write(
    pipeline: StableDiffusionPipeline,
    texts: np.ndarray,
    rows: np.ndarray,
    files: pd.DataFrame,
    sampling: Sampling,
    size: int,
    folder: Path,
) -> None:
    """Generate `size` images at a time."""
    started = time.monotonic()
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        with autocast(sampling.precision, sampling.device):
            images = _images(pipeline, texts, rows[part], files["seed"].iloc[part], sampling)
        for image, file in zip(images, files["file"].iloc[part], strict=True):
            image.save(folder / file)
        done = start + len(images)
        pace = done / (time.monotonic() - started)
        logging.info("%d of %d images, %.2f images/s, %.0f s left", done, len(rows), pace, (len(rows) - done) / pace)


def _images(pipeline: StableDiffusionPipeline, texts: np.ndarray, rows: np.ndarray, seeds, sampling: Sampling) -> list:
    prompt, nothing = (
        torch.from_numpy(texts[of]).float().to(sampling.device) for of in (rows, np.full_like(rows, UNCONDITIONAL))
    )
    return pipeline(
        prompt_embeds=prompt,
        negative_prompt_embeds=nothing,
        height=sampling.image_size,
        width=sampling.image_size,
        num_inference_steps=sampling.sampling_steps,
        guidance_scale=sampling.guidance,
        generator=[torch.Generator().manual_seed(int(seed)) for seed in seeds],
    ).images
