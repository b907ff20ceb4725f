"""Pre-training of a small latent diffusion model, so that the way from captions to images runs on a laptop.

It is built as Stable Diffusion is (Rombach et al. 2022, arXiv 2112.10752): an autoencoder, a U-Net on its latents that
reads the caption by cross-attention, and a frozen text encoder, here MiniLM, which comes as a package. It learns from
`datasets.organ_phantom`; its folder in `pretrained/` has diffusers' layout, less the text encoder.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from timm.models import EfficientNet
from torch import Tensor
from torch.nn import functional

from medpeft.base.files import set_modes
from medpeft.data.augmentation import normalise
from medpeft.generation.encode import Encoder, encode
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.minilm import add_text_encoder
from medpeft.networks.pretrained import pretrained
from medpeft.training.captioned import CaptionedLatents
from medpeft.training.schedule import warmup_cosine
from medpeft.training.unet import UnetRecipe, fit_unet

SIZE = 32  # pixels of an image, of which the latents have a quarter
KL_WEIGHT = 1e-6  # of the divergence in the autoencoder's loss, as for Stable Diffusion's
# Without a judge of textures the autoencoder blurs speckle. This one is also the default extractor of FID. That
# flatters the model, and all methods alike.
JUDGE, JUDGE_STAGES, PERCEPTUAL_WEIGHT = "efficientnet_lite0", [0, 1, 2], 0.5
WARMUP = 0.02  # share of the autoencoder's steps
REPORT_STEPS = 100  # between lines of the log


@dataclass(frozen=True)
class PretrainingRecipe:
    """How both networks are trained.

    Attributes:
        autoencoder: steps, batch_size and learning_rate.
        unet: the same, ema_decay and caption_dropout.
        seed: of all random draws.
        threads: of the CPU.
    """

    autoencoder: dict
    unet: dict
    seed: int
    threads: int


def autoencoder() -> AutoencoderKL:
    """Return the untrained autoencoder: 32 x 32 x 3 pixels to 8 x 8 x 4 latents, 0.92 million parameters."""
    return AutoencoderKL(
        block_out_channels=(32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIZE,
        mid_block_add_attention=False,
    )


def unet() -> UNet2DConditionModel:
    """Return the untrained U-Net on 8 x 8 x 4 latents and text of width 384, 1.6 million parameters."""
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(64, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=384,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def noise_schedule() -> DDIMScheduler:
    """Return Stable Diffusion's schedule of noise."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def pretrain_diffusion(
    images: Path, manifest: pd.DataFrame, judge: Path, recipe: PretrainingRecipe, folder: Path, checkpoint: Path
) -> dict:
    """Write the half-precision model to `folder`, in diffusers' layout without text encoder, and return the facts.

    Args:
        images: file of uint8 (N, H, H, 3) with H > 32.
        manifest: has their captions.
        judge: file of EfficientNet-Lite0's weights.
        recipe: how both networks are trained.
        folder: of the model.
        checkpoint: file from which an interrupted training of the U-Net goes on. It is removed in the end, so that
            another pre-training starts from the beginning.
    """
    fix_arithmetic(recipe.threads, "cpu")
    torch.manual_seed(recipe.seed)
    started = time.monotonic()
    pixels = torch.from_numpy(np.load(images))
    coder, error = _fit_autoencoder(pixels, pretrained(JUDGE, judge), **recipe.autoencoder)
    network = unet()
    with TemporaryDirectory(dir=checkpoint.parent) as temporary:
        whole = Path(temporary)
        _save(whole, coder, network)
        add_text_encoder(whole)
        captioned = _encoded(whole, images, manifest)
        learning_rate = recipe.unet["learning_rate"]
        fit = fit_unet(network, whole, captioned, _unet_recipe(recipe), learning_rate, recipe.seed, checkpoint)
    _save(folder, coder.half(), network.half())
    set_modes(folder)
    checkpoint.unlink(missing_ok=True)
    return {
        "images": len(pixels),
        "autoencoder": recipe.autoencoder,
        "unet": recipe.unet,
        "seed": recipe.seed,
        "autoencoder_error": error,
        "unet_loss": fit.history[-1]["train_loss"],
        "seconds": round(time.monotonic() - started),
    }


def _unet_recipe(recipe: PretrainingRecipe) -> UnetRecipe:
    return UnetRecipe(
        micro_batch=None,
        weight_decay=1e-2,
        min_snr_gamma=None,
        precision="fp32",
        threads=recipe.threads,
        device="cpu",
        **{key: value for key, value in recipe.unet.items() if key != "learning_rate"},
    )


def _save(folder: Path, coder: AutoencoderKL, network: UNet2DConditionModel) -> None:
    StableDiffusionPipeline(
        vae=coder,
        unet=network,
        scheduler=noise_schedule(),
        text_encoder=None,
        tokenizer=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def _encoded(pipeline: Path, images: Path, manifest: pd.DataFrame) -> CaptionedLatents:
    """Return all images and captions as the diffusion pipeline in the folder `pipeline` encodes them."""
    moments, texts = pipeline / "moments.npy", pipeline / "texts.npy"
    rows = encode(Encoder(pipeline, SIZE, "cpu"), images, manifest, moments, texts).captions
    return CaptionedLatents(np.load(moments), np.load(texts), rows.assign(row=np.arange(len(rows))))


def _fit_autoencoder(
    pixels: Tensor, judge: EfficientNet, steps: int, batch_size: int, learning_rate: float
) -> tuple[AutoencoderKL, float]:
    """Return an autoencoder of random crops of `pixels`, its latents scaled to unit variance, and its last mean error.

    The loss is the mean absolute error of pixels in -1..1 plus, weighted, the divergence of the latents from a normal
    distribution and the distance in the features of `judge`. AdamW with warm-up and a cosine.
    """
    judge.requires_grad_(False).eval()
    network = autoencoder().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-4, fused=True)
    factor, errors = warmup_cosine(steps, WARMUP), []
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * factor(step)
        batch = _crops(pixels, batch_size)
        posterior = network.encode(batch).latent_dist
        decoded = network.decode(posterior.sample()).sample
        error = functional.l1_loss(decoded, batch)
        loss = error + KL_WEIGHT * posterior.kl().mean() + PERCEPTUAL_WEIGHT * _distance(judge, decoded, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(error.item())
        if step % REPORT_STEPS == REPORT_STEPS - 1:
            logging.info("autoencoder: step %d of %d, error %.4f", step + 1, steps, np.mean(errors[-REPORT_STEPS:]))
    network.eval()
    with torch.inference_mode():
        latents = network.encode(_crops(pixels, 1024)).latent_dist.sample()
    network.register_to_config(scaling_factor=1 / float(latents.std()))
    return network, float(np.mean(errors[-REPORT_STEPS:]))


def _distance(judge: EfficientNet, first: Tensor, second: Tensor) -> Tensor:
    """Return how far apart images in -1..1 are in the first stages of a timm CNN.

    It is the squared distance of the channels at a place, each set of channels at unit length, summed over the stages.

    Source:
        Zhang et al. 2018 (arXiv 1801.03924), before weights are fitted to the channels.
    """
    stages = [
        judge.forward_intermediates(
            normalise((images + 1).permute(0, 2, 3, 1) * 127.5).repeat_interleave(2, 2).repeat_interleave(2, 3),
            indices=JUDGE_STAGES,
            stop_early=True,
            intermediates_only=True,
        )
        for images in (first, second)
    ]
    distances = (
        (functional.normalize(ours) - functional.normalize(theirs)).square().sum(1).mean()
        for ours, theirs in zip(*stages, strict=True)
    )
    return sum(distances, torch.zeros(()))


def _crops(pixels: Tensor, count: int) -> Tensor:
    """Return `count` crops of random images, half of them mirrored, float32 (count, 3, 32, 32) in -1..1."""
    rows = torch.randint(len(pixels), (count,))
    top, left = (int(torch.randint(pixels.shape[1] - SIZE + 1, ())) for _ in range(2))
    batch = pixels[rows, top : top + SIZE, left : left + SIZE].permute(0, 3, 1, 2) / 127.5 - 1
    return torch.where(torch.rand(count, 1, 1, 1) < 0.5, batch.flip(3), batch)
