"""Text-to-image: pairs as the pipeline encodes them, trainings that resume, images that depend on their seed alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from safetensors.torch import load_file

from medpeft.generation.encode import Encoder, encode
from medpeft.methods import registry
from medpeft.networks.diffusion import adapted_unet
from medpeft.networks.models import delta
from medpeft.training.captioned import Pairs, load_pairs
from medpeft.training.finetune_unet import finetune_unet
from medpeft.training.unet import UnetRecipe, _draw, _Loop, _weights, fit_unet

NAMES = [name for name in registry.names() if "unet" in registry.load(name).encoders]
CAPTIONS = ["a cyst", "a mass", "", "a cyst"]
RECIPE = UnetRecipe(
    steps=3,
    batch_size=6,
    micro_batch=None,
    weight_decay=1e-2,
    caption_dropout=0.1,
    min_snr_gamma=None,
    ema_decay=None,
    precision="fp32",
    threads=1,
    device="cpu",
)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Forty stored images of 37 pixels."""
    path = tmp_path_factory.mktemp("prepared") / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 255, (40, 37, 37, 3), dtype=np.uint8))
    return path


@pytest.fixture(scope="module")
def manifest() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": [f"i{number:02d}" for number in range(40)],
            "label": ["benign", "malignant", "normal", "benign"] * 10,
            "caption": CAPTIONS * 10,
        }
    )


@pytest.fixture(scope="module")
def encoded(diffusion, images, manifest) -> dict[str, Path]:
    """The files of the encoded dataset."""
    paths = {name: images.with_name(f"{name}.npy") for name in ("moments", "texts")}
    captions = encode(Encoder(diffusion, 32, "cpu"), images, manifest, paths["moments"], paths["texts"])
    captions.to_csv(images.with_name("captions.csv"), index=False)
    return paths | {"captions": images.with_name("captions.csv")}


@pytest.fixture(scope="module")
def pairs(encoded, tmp_path_factory) -> tuple[Pairs, Pairs]:
    """Twenty pairs for training, ten for testing."""
    folder = tmp_path_factory.mktemp("splits")
    names = [f"i{number:02d}" for number in range(40)]
    parts = ["train"] * 20 + ["validation"] * 10 + ["test"] * 10
    pd.DataFrame({"image_id": names, "split": parts}).to_csv(folder / "split.csv", index=False)
    share = np.arange(20) / 20
    pd.DataFrame({"image_id": names[:20], "share": share}).to_csv(folder / "subset.csv", index=False)
    return load_pairs(**encoded, split=folder / "split.csv", subset=folder / "subset.csv", fraction=1)


def unet_of(diffusion, name, seed=0):
    torch.manual_seed(seed)
    return adapted_unet(diffusion, registry.load(name))


def test_a_step_sees_what_diffusion_means_by_its_noise(diffusion, pairs):
    """The noise is what separates the noisy latents from latents that lie where the encoder put them."""
    recipe = replace(RECIPE, batch_size=500, caption_dropout=0.3)
    loop = _Loop(unet_of(diffusion, "norm"), diffusion, pairs[0], recipe, 1e-3, 0)
    batch = _draw(loop, 7)
    alphas = DDPMScheduler.from_pretrained(diffusion / "scheduler").alphas_cumprod[batch.times][:, None, None, None]
    latents = (batch.noisy - (1 - alphas).sqrt() * batch.target) / alphas.sqrt()
    early = batch.times < 500  # later ones are dominated by rounding
    spread = latents[early].std() / 0.18215
    mean, log_variance = torch.from_numpy(np.array(pairs[0].moments)).float().chunk(2, 1)
    expected = (mean.var() + log_variance.exp().mean()).sqrt()
    torch.testing.assert_close(spread, expected, rtol=0.05, atol=0)
    bare = (batch.texts == torch.from_numpy(np.array(pairs[0].texts[0])).float()).all(2).all(1)
    plain = (pairs[0].rows["caption"] == "").mean()
    assert abs(float(bare.float().mean()) - (0.3 + 0.7 * plain)) < 0.08
    again = _draw(loop, 7)
    assert torch.equal(batch.noisy, again.noisy)
    assert not torch.equal(batch.noisy, _draw(loop, 8).noisy)


def test_runs_of_other_seeds_see_other_noise(diffusion, pairs):
    """torch's generator on the CPU takes but the lower 32 bits of a seed."""
    unet, drawn_noise = unet_of(diffusion, "norm"), set()
    for seed in (0, 1, 2, 2**20):
        loop = _Loop(unet, diffusion, pairs[0], RECIPE, 1e-3, seed)
        drawn_noise |= {_draw(loop, number).noisy.numpy().tobytes() for number in range(3)}
    assert len(drawn_noise) == 12


def test_min_snr_bounds_the_weights():
    noise = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    times = torch.tensor([0, 300, 999])
    ratio = noise.alphas_cumprod[times] / (1 - noise.alphas_cumprod[times])
    torch.testing.assert_close(_weights(noise, times, 5.0), torch.minimum(ratio, torch.tensor(5.0)) / ratio)
    assert torch.equal(_weights(noise, times, None), torch.ones(3))


@pytest.mark.parametrize("options", [{}, {"ema_decay": 0.9, "min_snr_gamma": 5.0}, {"precision": "bf16"}])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(diffusion, pairs, tmp_path, options, monkeypatch):
    recipe, checkpoint = replace(RECIPE, steps=4, **options), tmp_path / "checkpoint"
    whole = unet_of(diffusion, "full")
    expected = fit_unet(whole, diffusion, pairs[0], recipe, 1e-3, 0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("medpeft.training.unet._draw", _killed_at(2))
        fit_unet(unet_of(diffusion, "full"), diffusion, pairs[0], recipe, 1e-3, 0, checkpoint, checkpoint_seconds=0)
    resumed = unet_of(diffusion, "full", seed=1)
    found = fit_unet(resumed, diffusion, pairs[0], recipe, 1e-3, 0, checkpoint)
    assert found.history == expected.history
    assert all(torch.equal(tensor, delta(whole)[name]) for name, tensor in delta(resumed).items())


def _killed_at(step):
    def draw(loop, number):
        if number == step:
            raise KeyboardInterrupt
        return _draw(loop, number)

    return draw


def test_pieces_of_a_batch_add_up_to_it(diffusion, pairs):
    whole, pieces = (unet_of(diffusion, "full") for _ in range(2))
    fit_unet(whole, diffusion, pairs[0], replace(RECIPE, steps=1), 1e-3, 0)
    fit_unet(pieces, diffusion, pairs[0], replace(RECIPE, steps=1, micro_batch=4), 1e-3, 0)
    grads = (dict(unet.named_parameters()) for unet in (whole, pieces))
    for ours, theirs in zip(*(parameters.values() for parameters in grads), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_training_learns(diffusion, pairs):
    unet = unet_of(diffusion, "full")
    result = fit_unet(unet, diffusion, pairs[0], replace(RECIPE, steps=100, batch_size=8), 3e-3, 0)
    losses = [row["train_loss"] for row in result.history]
    assert result.history[-1]["step"] == 100
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_a_moving_average_follows_slowly(diffusion, pairs):
    last, average = (unet_of(diffusion, "bias") for _ in range(2))
    start = delta(last)
    fit_unet(last, diffusion, pairs[0], RECIPE, 1e-2, 0)
    fit_unet(average, diffusion, pairs[0], replace(RECIPE, ema_decay=0.9), 1e-2, 0)
    far, near = (
        sum(float((tensor - start[name]).norm()) for name, tensor in delta(unet).items()) for unet in (last, average)
    )
    assert 0 < near < far


def test_a_loss_that_is_no_number_is_a_recorded_failure(diffusion, pairs, tmp_path):
    adapter = tmp_path / "adapter.safetensors"
    outcome = finetune_unet(diffusion, "full", pairs[0], RECIPE, 1e30, 0, adapter, tmp_path / "checkpoint")
    assert outcome.status.startswith("failed: the loss was not finite")
    assert load_file(adapter) == {}


def test_weights_that_are_no_numbers_are_a_recorded_failure(diffusion, pairs, tmp_path):
    """The last step may spoil them, when no loss follows that would tell."""
    adapter = tmp_path / "adapter.safetensors"
    recipe = replace(RECIPE, steps=1)
    outcome = finetune_unet(diffusion, "full", pairs[0], recipe, float("inf"), 0, adapter, tmp_path / "checkpoint")
    assert outcome.status.startswith("failed: weights were not finite after step 1")
    assert load_file(adapter) == {}


def test_lora_loads_in_diffusers(diffusion, pairs, tmp_path):
    adapter = tmp_path / "adapter.safetensors"
    finetune_unet(diffusion, "lora", pairs[0], RECIPE, 1e-1, 0, adapter, tmp_path / "checkpoint")
    pipeline = StableDiffusionPipeline.from_pretrained(diffusion, safety_checker=None)
    arguments = torch.randn(1, 4, 8, 8), torch.tensor([500]), torch.randn(1, 16, 16)
    with torch.no_grad():
        plain = pipeline.unet(*arguments).sample
        pipeline.load_lora_weights(tmp_path / "exported")
        tuned = pipeline.unet(*arguments).sample
        ours = unet_of(diffusion, "lora")
        ours.load_state_dict(load_file(adapter), strict=False)
        torch.testing.assert_close(tuned, ours(*arguments).sample, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(plain, tuned, rtol=1e-3)
