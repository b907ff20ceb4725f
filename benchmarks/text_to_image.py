"""Steps of fine-tuning a U-Net on images and captions, by the pipeline's loop or the usual one of diffusers' users.

    python benchmarks/text_to_image.py pipeline|diffusers JOB.json RESULT.json

The usual loop decodes images, encodes them with the VAE, and encodes their captions with the text encoder, in every
step. The pipeline's reads what its stage `encode` stored. Both train the same U-Net under the same method; the steps
of a warm-up are not timed, and their loss is left out.
"""

import json
import sys
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from diffusers import DDPMScheduler, UNet2DConditionModel
from PIL import Image
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from medpeft.methods.registry import load
from medpeft.networks.diffusion import adapted_unet, load_diffusion_pipeline
from medpeft.training.captioned import load_captioned
from medpeft.training.unet import UnetRecipe, fit_unet


class Captioned(Dataset):
    """Image files with their captions, decoded when they are asked for."""

    def __init__(self, rows: list[tuple[str, str]], stored_size: int, size: int):
        self.rows = rows
        self.transform = transforms.Compose(
            [
                transforms.Resize(stored_size),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize([0.5], [0.5]),
            ]
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        path, caption = self.rows[index]
        with Image.open(path) as image:
            return self.transform(image.convert("RGB")), caption


def by_pipeline(unet: UNet2DConditionModel, job: dict) -> tuple[float, list[float]]:
    """Train with `fit_unet` and return the seconds after the warm-up and the losses of its reports."""
    train, _ = load_captioned(*(job[name] for name in ("moments", "texts", "captions", "split", "subset")), 1.0)
    for steps in (job["warmup_steps"], job["recipe"]["steps"]):
        recipe = UnetRecipe(**job["recipe"] | {"steps": steps})
        fit = fit_unet(unet, Path(job["pipeline"]), train, recipe, job["learning_rate"], job["seed"] + steps)
    return fit.train_seconds, [row["train_loss"] for row in fit.history]


def by_diffusers(unet: UNet2DConditionModel, job: dict) -> tuple[float, list[float]]:
    """Train with the usual loop and return the seconds and the losses of the steps after the warm-up."""
    set_seed(job["seed"])
    recipe = job["recipe"]
    accelerator = Accelerator(cpu=True)
    loaded = load_diffusion_pipeline(Path(job["pipeline"]), unet=None)
    noise_schedule = DDPMScheduler.from_config(loaded.scheduler.config)
    loaded.vae.requires_grad_(False)
    loaded.text_encoder.requires_grad_(False)
    trainable = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trainable, lr=job["learning_rate"], weight_decay=recipe["weight_decay"])
    data = Captioned(job["images"], job["stored_size"], job["image_size"])
    loader = DataLoader(data, recipe["batch_size"], shuffle=True, drop_last=True)
    unet, optimiser, loader = accelerator.prepare(unet.train(), optimiser, loader)
    batches, losses, started = _endless(loader), [], 0.0
    for step in range(job["warmup_steps"] + recipe["steps"]):
        if step == job["warmup_steps"]:
            started = time.perf_counter()
        images, captions = next(batches)
        with torch.no_grad():
            latents = loaded.vae.encode(images).latent_dist.sample() * loaded.vae.config.scaling_factor
            texts, _ = loaded.encode_prompt(list(captions), "cpu", 1, do_classifier_free_guidance=False)
        noise = torch.randn_like(latents)
        times = torch.randint(noise_schedule.config.num_train_timesteps, (len(latents),))
        noisy = noise_schedule.add_noise(latents, noise, times)
        loss = mse_loss(unet(noisy, times, texts, return_dict=False)[0], noise)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(trainable, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return time.perf_counter() - started, losses[job["warmup_steps"] :]


def _endless(loader: DataLoader):
    while True:
        yield from loader


LOOPS = {"pipeline": by_pipeline, "diffusers": by_diffusers}


def main(loop: str, job_file: str, result_file: str) -> None:
    job = json.loads(Path(job_file).read_text())
    torch.set_num_threads(job["recipe"]["threads"])
    torch.manual_seed(job["seed"])
    unet = adapted_unet(Path(job["pipeline"]), load(job["method"]))
    seconds, losses = LOOPS[loop](unet, job)
    result = {"scores": {"loss": sum(losses) / len(losses)}, "train_seconds": seconds}
    Path(result_file).write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
