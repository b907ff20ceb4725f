"""The training of a U-Net: its noise, its loss, its resumption and its failures."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from safetensors.torch import load_file

from medpeft.methods import registry
from medpeft.networks.delta import delta
from medpeft.networks.diffusion import adapted_unet
from medpeft.training.captioned import CaptionedLatents
from medpeft.training.finetune_unet import TunedUnet, finetune_unet
from medpeft.training.outcome import RunFiles
from medpeft.training.unet import UnetLoop, fit_unet, loss_weights


@pytest.fixture(scope="module")
def captioned() -> CaptionedLatents:
    """Twenty images with three captions, one of them empty, as an encoder may have left them."""
    random = np.random.default_rng(0)
    mean, log_variance = random.normal(0, 5, (20, 4, 8, 8)), random.normal(-2, 1, (20, 4, 8, 8))
    moments = np.concatenate([mean, log_variance], 1).astype(np.float16)
    rows = pd.DataFrame({"caption": ["a cyst", "a mass", "", "a cyst"] * 5, "row": range(20), "text": [1, 2, 0, 1] * 5})
    return CaptionedLatents(moments, random.normal(size=(3, 16, 16)).astype(np.float16), rows)


@pytest.fixture
def files(tmp_path) -> RunFiles:
    return RunFiles(tmp_path / "adapter.safetensors", tmp_path / "checkpoint")


def unet_of(diffusion, name, seed=0):
    torch.manual_seed(seed)
    return adapted_unet(diffusion, registry.load(name))


def test_a_step_sees_what_diffusion_means_by_its_noise(diffusion, captioned, unet_recipe):
    """The noise is what separates the noisy latents from latents that lie where the encoder put them."""
    recipe = replace(unet_recipe, batch_size=500, caption_dropout=0.3)
    loop = UnetLoop(unet_of(diffusion, "norm"), diffusion, captioned, recipe, 1e-3, 0)
    batch = loop.draw(7)
    alphas = DDPMScheduler.from_pretrained(diffusion / "scheduler").alphas_cumprod[batch.times][:, None, None, None]
    latents = (batch.noisy - (1 - alphas).sqrt() * batch.target) / alphas.sqrt()
    early = batch.times < 500  # later ones are dominated by rounding
    spread = latents[early].std() / 0.18215
    mean, log_variance = torch.from_numpy(np.array(captioned.moments)).float().chunk(2, 1)
    expected = (mean.var() + log_variance.exp().mean()).sqrt()
    torch.testing.assert_close(spread, expected, rtol=0.05, atol=0)
    bare = (batch.texts == torch.from_numpy(np.array(captioned.texts[0])).float()).all(2).all(1)
    plain = (captioned.rows["caption"] == "").mean()
    assert abs(float(bare.float().mean()) - (0.3 + 0.7 * plain)) < 0.08
    again = loop.draw(7)
    assert torch.equal(batch.noisy, again.noisy)
    assert not torch.equal(batch.noisy, loop.draw(8).noisy)


def test_runs_of_other_seeds_see_other_noise(diffusion, captioned, unet_recipe):
    """torch's generator on the CPU takes but the lower 32 bits of a seed."""
    unet, drawn_noise = unet_of(diffusion, "norm"), set()
    for seed in (0, 1, 2, 2**20):
        loop = UnetLoop(unet, diffusion, captioned, unet_recipe, 1e-3, seed)
        drawn_noise |= {loop.draw(number).noisy.numpy().tobytes() for number in range(3)}
    assert len(drawn_noise) == 12


def test_min_snr_bounds_the_weights():
    noise = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    times = torch.tensor([0, 300, 999])
    ratio = noise.alphas_cumprod[times] / (1 - noise.alphas_cumprod[times])
    torch.testing.assert_close(loss_weights(noise, times, 5.0), torch.minimum(ratio, torch.tensor(5.0)) / ratio)
    assert torch.equal(loss_weights(noise, times, None), torch.ones(3))


@pytest.mark.parametrize("options", [{}, {"ema_decay": 0.9, "min_snr_gamma": 5.0}, {"precision": "bf16"}])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    diffusion, captioned, tmp_path, options, monkeypatch, unet_recipe
):
    recipe, checkpoint = replace(unet_recipe, steps=4, **options), tmp_path / "checkpoint"
    whole = unet_of(diffusion, "full")
    expected = fit_unet(whole, diffusion, captioned, recipe, 1e-3, 0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("medpeft.training.loop.CHECKPOINT_SECONDS", 0)
        patch.setattr(UnetLoop, "draw", _interrupted_at(2))
        fit_unet(unet_of(diffusion, "full"), diffusion, captioned, recipe, 1e-3, 0, checkpoint)
    resumed = unet_of(diffusion, "full", seed=1)
    found = fit_unet(resumed, diffusion, captioned, recipe, 1e-3, 0, checkpoint)
    assert found.history == expected.history
    assert all(torch.equal(tensor, delta(whole)[name]) for name, tensor in delta(resumed).items())


def _interrupted_at(step):
    draw = UnetLoop.draw

    def interrupted(loop, number):
        if number == step:
            raise KeyboardInterrupt
        return draw(loop, number)

    return interrupted


def test_micro_batches_add_up_to_their_batch(diffusion, captioned, unet_recipe):
    whole, micro = (unet_of(diffusion, "full") for _ in range(2))
    fit_unet(whole, diffusion, captioned, replace(unet_recipe, steps=1), 1e-3, 0)
    fit_unet(micro, diffusion, captioned, replace(unet_recipe, steps=1, micro_batch=4), 1e-3, 0)
    grads = (dict(unet.named_parameters()) for unet in (whole, micro))
    for ours, theirs in zip(*(parameters.values() for parameters in grads), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_training_learns(diffusion, captioned, unet_recipe):
    unet = unet_of(diffusion, "full")
    result = fit_unet(unet, diffusion, captioned, replace(unet_recipe, steps=100, batch_size=8), 3e-3, 0)
    losses = [row["train_loss"] for row in result.history]
    assert result.history[-1]["step"] == 100
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_a_moving_average_follows_slowly(diffusion, captioned, unet_recipe):
    last, average = (unet_of(diffusion, "bias") for _ in range(2))
    start = delta(last)
    fit_unet(last, diffusion, captioned, unet_recipe, 1e-2, 0)
    fit_unet(average, diffusion, captioned, replace(unet_recipe, ema_decay=0.9), 1e-2, 0)
    far, near = (
        sum(float((tensor - start[name]).norm()) for name, tensor in delta(unet).items()) for unet in (last, average)
    )
    assert 0 < near < far


def test_a_loss_that_is_not_finite_is_a_recorded_failure(diffusion, captioned, files, unet_recipe):
    outcome = finetune_unet(TunedUnet(diffusion, "full"), captioned, unet_recipe, 1e30, 0, files)
    assert outcome.status.startswith("failed: the loss was not finite at step 2, at learning rate 1e+30")
    assert load_file(files.adapter) == {}


def test_weights_that_are_not_finite_are_a_recorded_failure(diffusion, captioned, files, unet_recipe):
    """The last step may spoil them, when no loss follows that would tell."""
    recipe = replace(unet_recipe, steps=1)
    outcome = finetune_unet(TunedUnet(diffusion, "full"), captioned, recipe, float("inf"), 0, files)
    assert outcome.status.startswith("failed: weights were not finite after step 1")
    assert load_file(files.adapter) == {}


def test_lora_loads_in_diffusers(diffusion, captioned, files, unet_recipe):
    finetune_unet(TunedUnet(diffusion, "lora"), captioned, unet_recipe, 1e-1, 0, files)
    pipeline = StableDiffusionPipeline.from_pretrained(diffusion, safety_checker=None)
    arguments = torch.randn(1, 4, 8, 8), torch.tensor([500]), torch.randn(1, 16, 16)
    with torch.no_grad():
        plain = pipeline.unet(*arguments).sample
        pipeline.load_lora_weights(files.exported)
        tuned = pipeline.unet(*arguments).sample
        ours = unet_of(diffusion, "lora")
        ours.load_state_dict(load_file(files.adapter), strict=False)
        torch.testing.assert_close(tuned, ours(*arguments).sample, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(plain, tuned, rtol=1e-3)
