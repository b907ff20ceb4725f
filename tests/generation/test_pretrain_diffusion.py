"""The small latent diffusion model: how it is pretrained, and whether the project brings what it announces."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from medpeft.base.files import read_json, sha256
from medpeft.data.simulators.breast import draw_patient
from medpeft.generation.encode import Encoder, encode
from medpeft.generation.pretrain_diffusion import PretrainingRecipe, autoencoder, pretrain_diffusion, unet
from medpeft.networks.diffusion import load_diffusion_pipeline
from medpeft.networks.diffusion_pipeline import fetch_diffusion_pipeline, kept

NAME = "latent_diffusion_mini"
CAPTION = "Ultrasound of the liver, anechoic mass, round shape, circumscribed margin, no posterior features."


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Sixteen images of noise with two captions."""
    path = tmp_path_factory.mktemp("prepared") / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 255, (16, 37, 37, 3), dtype=np.uint8))
    return path, pd.DataFrame({"image_id": range(16), "label": "noise", "caption": ["dark", "bright"] * 8})


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """The project's own diffusion pipeline, as the study fetches it."""
    folder = tmp_path_factory.mktemp("weights") / NAME
    fetch_diffusion_pipeline(NAME, None, folder, mirror=None)
    return folder


def pretrained(images, lite0, folder):
    short = {"steps": 2, "batch_size": 4, "learning_rate": 1e-3}
    folder.mkdir()
    facts = pretrain_diffusion(
        *images,
        judge=lite0,
        recipe=PretrainingRecipe(short, short | {"ema_decay": 0.9, "caption_dropout": 0.1}, seed=0, threads=1),
        folder=folder / "model",
        checkpoint=folder / "unfinished",
    )
    files = sorted((folder / "model").rglob("*.safetensors"))
    return facts, [(path.parent.name, sha256(path)) for path in files]


def test_the_architecture_is_the_announced_one():
    sizes = [sum(parameter.numel() for parameter in network().parameters()) for network in (autoencoder, unet)]
    assert sizes == [921_031, 1_596_228]


def test_pretraining_repeats_itself(images, lite0, tmp_path):
    facts, files = pretrained(images, lite0, tmp_path / "first")
    assert [folder for folder, _ in files] == ["unet", "vae"]
    assert facts["images"] == 16
    assert facts["unet_loss"] > 0
    assert pretrained(images, lite0, tmp_path / "second")[1] == files


def test_finished_pretraining_leaves_no_checkpoint(images, lite0, tmp_path, monkeypatch):
    """The next one would start where this one ended, on the latents of another autoencoder."""
    monkeypatch.setattr("medpeft.training.loop.CHECKPOINT_SECONDS", 0)
    pretrained(images, lite0, tmp_path / "first")
    assert [path.name for path in (tmp_path / "first").iterdir()] == ["model"]


def test_weights_come_with_the_project(pipeline):
    files = sorted(kept(NAME).rglob("*.safetensors"))
    assert sum(path.stat().st_size for path in files) <= 6_000_000
    hashes = read_json(kept(NAME) / "pretraining.json")["sha256"]
    assert hashes == {str(path.relative_to(kept(NAME))): sha256(path) for path in files}
    assert read_json(pipeline / "source.json")["origin"] == "the project's folder pretrained"


def test_latents_have_unit_variance(pipeline, tmp_path):
    """As the noise has that is added to them; on breasts, which the autoencoder never saw."""
    drawn = [draw_patient(number, "benign", 1)[1][0] for number in range(1, 25)]
    pixels = [np.asarray(Image.open(BytesIO(content)).convert("RGB").resize((32, 32))) for content in drawn]
    np.save(tmp_path / "images.npy", np.stack(pixels))
    table = pd.DataFrame({"image_id": range(24), "label": "benign", "caption": ""})
    images, moments, texts = (tmp_path / f"{name}.npy" for name in ("images", "moments", "texts"))
    encode(Encoder(pipeline, 32, "cpu"), images, table, moments, texts)
    mean = np.load(tmp_path / "moments.npy").astype(float)[:, :4]
    scale = load_diffusion_pipeline(pipeline, unet=None).vae.config.scaling_factor
    assert 0.7 < scale * mean.std() < 1.4


def test_images_follow_their_captions(pipeline):
    """A black mass makes a darker image than none, all else, the noise that it starts from too, being equal."""
    model = load_diffusion_pipeline(pipeline)
    shown = [
        model(
            [caption] * 8,
            height=32,
            width=32,
            num_inference_steps=10,
            guidance_scale=4,
            generator=[torch.Generator().manual_seed(seed) for seed in range(8)],
            output_type="np",
        ).images[:, 8:24, 8:24]
        for caption in (CAPTION, "Ultrasound of the liver, no mass.")
    ]
    black = [(centres < 0.15).mean() for centres in shown]
    assert black[0] > black[1] + 0.1
