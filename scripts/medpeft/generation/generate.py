"""Images of a fine-tuned diffusion pipeline for captions of test or training images."""

import hashlib
import io
import logging
import time
from dataclasses import dataclass
from pathlib import Path

import diffusers
import numpy as np
import pandas as pd
import torch
from diffusers import SchedulerMixin, StableDiffusionPipeline, UNet2DConditionModel
from PIL.Image import Image
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
from medpeft.training.captioned import UNCONDITIONAL, CaptionedLatents, chosen, drawn

PROBE_TIME = 500  # of 1000
GENERATED_COLUMNS = ["file", "image_id", "label", "caption", "seed", "sha256"]


@dataclass(frozen=True)
class TunedPipeline:
    """A diffusion pipeline with the U-Net of one run.

    Attributes:
        folder: of the diffusion pipeline.
        method: that the U-Net was fine-tuned by.
        adapter: the file of the run's delta.
    """

    folder: Path
    method: str
    adapter: Path


@dataclass(frozen=True)
class Prompts:
    """What images are generated for.

    Attributes:
        texts: embeddings of captions, (distinct captions, tokens, width); row `UNCONDITIONAL` is the empty caption.
        rows: image_id, label, caption and `text`, its row of `texts`, of each prompt.
    """

    texts: np.ndarray
    rows: pd.DataFrame


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


def prompts_of(split: str, train: CaptionedLatents, test: CaptionedLatents, count: int) -> Prompts:
    """Return `count` prompts of a run.

    Args:
        split: `test` takes captions of the test set, the same for every run on it. `train` takes those of the run's
            training images, in the proportions of the classes.
        train: the images and captions that the run trains on.
        test: those of the test set.
        count: all of the test set where it has fewer; captions for training recur where there are fewer.
    """
    return Prompts(test.texts, drawn(train.rows, count) if split == "train" else chosen(test.rows, count))


def generate(
    tuned: TunedPipeline, prompts: Prompts, sampling: Sampling, seed: int, repeats: int, folder: Path
) -> pd.DataFrame:
    """Write `repeats` PNGs for each prompt into `folder` and return a row with `GENERATED_COLUMNS` for each.

    Each image starts from noise of its own seed, so that the batch size makes no difference but for rounding.

    Args:
        tuned: the diffusion pipeline and the run's adapter.
        prompts: what to show.
        sampling: how.
        seed: of the run.
        repeats: how many images of each prompt.
        folder: the first image of a prompt lies in its sub-folder `0`, the second in `1`.

    Raises:
        UserError: a tensor of the adapter finds no place in the U-Net, or all of them change nothing. The images would
            be those of the untuned diffusion pipeline.
    """
    fix_arithmetic(sampling.threads, sampling.device)
    pipeline = _loaded(tuned, prompts.texts, sampling)
    names = [f"{repeat}/{number:05d}.png" for repeat in range(repeats) for number in range(len(prompts.rows))]
    files = pd.concat([prompts.rows] * repeats, ignore_index=True)
    files = files.assign(file=names, seed=[noise_seed(seed, number) for number in range(len(names))])
    for repeat in range(repeats):
        (folder / str(repeat)).mkdir(parents=True, exist_ok=True)
    # A method that computes weights from others does so once, not at every step.
    with torch.inference_mode(), parametrize.cached():
        files["sha256"], _ = as_fits(
            sampling.sampling_batch, lambda size: _write(pipeline, prompts.texts, files, sampling, size, folder)
        )
    _check(files, folder)
    return files[GENERATED_COLUMNS]


def _check(files: pd.DataFrame, folder: Path) -> None:
    """Refuse images in `folder` that are not those of `files`, each as it was generated, and no others."""
    found = {path.relative_to(folder).as_posix(): sha256(path) for path in folder.rglob("*.png")}
    if found != dict(zip(files["file"], files["sha256"], strict=True)):
        raise UserError(
            f"{folder} has other images than were generated: another process wrote there; see to it that nothing else "
            "does, and run again"
        )


def _loaded(tuned: TunedPipeline, texts: np.ndarray, sampling: Sampling) -> StableDiffusionPipeline:
    """Return the diffusion pipeline with the run's U-Net and the scheduler that is asked for, without text encoder."""
    unet = adapted_unet(tuned.folder, load(tuned.method)).to(sampling.device).eval()
    _load(unet, tuned.adapter, torch.from_numpy(texts[[UNCONDITIONAL]]).float().to(sampling.device))
    pipeline = load_diffusion_pipeline(tuned.folder, unet=unet, text_encoder=None, tokenizer=None).to(sampling.device)
    if sampling.scheduler:
        pipeline.scheduler = _scheduler(sampling.scheduler).from_config(pipeline.scheduler.config)
    return pipeline


def _load(unet: UNet2DConditionModel, adapter: Path, text: Tensor) -> None:
    """Load the delta in the file `adapter`, in place, and check that it changes what the U-Net makes of a `text`.

    A method starts as the untuned U-Net, whatever the first values of its parameters. An adapter that is not in
    effect leaves plausible images and a FID that says nothing of the method.
    """
    tensors = load_file(adapter, device=str(unet.device))
    before = _probe(unet, text)
    load_delta(unet, tensors)
    after = _probe(unet, text)
    if tensors and torch.equal(before, after):
        raise UserError(
            f"{adapter} changes nothing of the diffusion pipeline, so that its images would be untuned: delete the "
            "run's folder and run it again, with a higher learning rate under generation if it trained"
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
    files: pd.DataFrame,
    sampling: Sampling,
    size: int,
    folder: Path,
) -> list[str]:
    """Generate the images of `files`, `size` at a time, write them into `folder`, and return the SHA-256 of each."""
    started, hashes = time.monotonic(), list[str]()
    for start in range(0, len(files), size):
        batch = files.iloc[start : start + size]
        with autocast(sampling.precision, sampling.device):
            images = _images(pipeline, texts, batch, sampling)
        for image, file in zip(images, batch["file"], strict=True):
            content = _png(image)
            hashes.append(hashlib.sha256(content).hexdigest())
            (folder / file).write_bytes(content)
        done = start + len(images)
        pace = done / (time.monotonic() - started)
        logging.info("%d of %d images, %.2f images/s, %.0f s left", done, len(files), pace, (len(files) - done) / pace)
    return hashes


def _png(image: Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _images(
    pipeline: StableDiffusionPipeline, texts: np.ndarray, batch: pd.DataFrame, sampling: Sampling
) -> list[Image]:
    """Return an image for each row of `batch`, of its `text` and from the noise of its `seed`."""
    rows = batch["text"].to_numpy()
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
        generator=[torch.Generator().manual_seed(int(seed)) for seed in batch["seed"]],
    ).images
