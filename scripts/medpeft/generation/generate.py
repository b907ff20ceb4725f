"""Images of a fine-tuned pipeline for captions of the test set or of the training images."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import diffusers
import numpy as np
import pandas as pd
import torch
from diffusers import SchedulerMixin, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.utils import parametrize

from medpeft.base.errors import UserError
from medpeft.base.files import sha256
from medpeft.methods.registry import load
from medpeft.networks.delta import load_delta
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.diffusion import adapted_unet, load_diffusion_pipeline, noise_seed
from medpeft.networks.memory import as_fits
from medpeft.networks.precision import autocast
from medpeft.training.captioned import UNCONDITIONAL

PROBE_TIME = 500  # of 1000
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
    and `text`, its row of `texts`, as in `medpeft.training.captioned.CaptionedLatents`. The U-Net is that of
    the folder `pipeline` with the delta read back from `adapter`. Each image starts from noise of its own seed, so that
    the batch size makes no difference but for rounding. Raises `UserError` where a tensor of the adapter finds no place
    in the U-Net, or where all of them change nothing: the images would be those of the untuned pipeline.
    """
    fix_arithmetic(sampling.threads, sampling.device)
    unet = adapted_unet(pipeline, load(method)).to(sampling.device).eval()
    _load(unet, adapter, torch.from_numpy(texts[[UNCONDITIONAL]]).float().to(sampling.device))
    loaded = load_diffusion_pipeline(pipeline, unet=unet, text_encoder=None, tokenizer=None).to(sampling.device)
    if sampling.scheduler:
        loaded.scheduler = _scheduler(sampling.scheduler).from_config(loaded.scheduler.config)
    names = [f"{repeat}/{number:05d}.png" for repeat in range(repeats) for number in range(len(prompts))]
    files = pd.concat([prompts] * repeats, ignore_index=True)
    files = files.assign(file=names, seed=[noise_seed(seed, number) for number in range(len(names))])
    for repeat in range(repeats):
        (folder / str(repeat)).mkdir(parents=True, exist_ok=True)
    rows = files["text"].to_numpy()
    # A method that computes weights from others does so once, not at every step.
    with torch.inference_mode(), parametrize.cached():
        as_fits(sampling.sampling_batch, lambda size: _write(loaded, texts, rows, files, sampling, size, folder))
    files["sha256"] = [sha256(folder / file) for file in files["file"]]
    return files[COLUMNS]


def _load(unet: UNet2DConditionModel, adapter: Path, text: Tensor) -> None:
    """Load the delta in the file `adapter`, in place, and see to it that it changes what the U-Net makes of a `text`.

    A method starts as the untuned U-Net, whatever the first values of its parameters. An adapter that is not in
    effect leaves plausible images and a FID that says nothing of the method.
    """
    tensors = load_file(adapter, device=str(unet.device))
    before = _probe(unet, text)
    load_delta(unet, tensors)
    after = _probe(unet, text)
    if tensors and torch.equal(before, after):
        raise UserError(
            f"{adapter} changes nothing of the pipeline, so that its images would be untuned: delete the run's folder "
            "and run it again, with a higher learning rate under generation if it trained"
        )
    logging.info("the adapter changes the U-Net's answer by %.3g of its size", (after - before).norm() / before.norm())


def _probe(unet: UNet2DConditionModel, text: Tensor) -> Tensor:
    """Return what the U-Net answers to a fixed noise at a fixed time, under a text, float32 (1, tokens, width)."""
    side = 2 ** len(unet.config.block_out_channels)
    noise = torch.randn(1, unet.config.in_channels, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return unet(noise.to(unet.device), PROBE_TIME, text).sample


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
