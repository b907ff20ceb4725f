"""What several tests share: small networks and images."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch

from medpeft.data.archives import Source
from medpeft.data.images import Split
from medpeft.networks.weights import fetch_weights
from medpeft.training.classification import Recipe

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

    from medpeft.training.unet import UnetRecipe

ROOT = Path(__file__).parents[1]
LETTERS = "abcdefghijklmnopqrstuvwxyz,."

# The files that take longest: they begin first, so that no process waits for the last of another.
LONGEST = ("test_pipeline.py", "test_slurm.py", "test_crashes.py", "test_module.py", "test_odd_studies.py")

torch.set_num_threads(1)  # tests run side by side, one process a core


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def lite0(tmp_path_factory) -> Path:
    """The ImageNet weights of EfficientNet-Lite0 as the pipeline keeps them."""
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    fetch_weights("efficientnet_lite0", path, mirror=None)
    return path


@pytest.fixture(scope="session")
def vit() -> Path:
    """The weights of the small vision transformer that the project brings."""
    return Path(__file__).parents[1] / "pretrained" / "vit_mini_patch8_64.distilled.safetensors"


@pytest.fixture(scope="session")
def diffusion(tmp_path_factory) -> Path:
    """A tiny Stable Diffusion pipeline with random weights, as diffusers saves it."""
    folder = tmp_path_factory.mktemp("pipelines") / "tiny_diffusion"
    write_pipeline(folder)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real archives; tests that need it are skipped where there is none."""
    folder = Path(os.environ.get("MEDPEFT_REAL_DATA", ROOT.parent / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"no real archives at {folder}: name their folder in MEDPEFT_REAL_DATA")
    return folder


@pytest.fixture(params=["zip", "folder"])
def pack(request, tmp_path) -> Callable[..., Source]:
    """Return a function that opens an archive of this name and these members (name to content): zip, then folder."""

    def pack(name: str, members: dict[str, bytes]) -> Source:
        path = tmp_path / name
        if request.param == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for member, content in members.items():
                    archive.writestr(member, content)
        else:
            for member, content in members.items():
                (path / member).parent.mkdir(parents=True, exist_ok=True)
                (path / member).write_bytes(content)
        return Source(path)

    return pack


@pytest.fixture
def recipe() -> Recipe:
    """Two short epochs at 32 pixels."""
    return Recipe(
        epochs=2,
        min_steps=0,
        batch_size=8,
        weight_decay=1e-4,
        warmup=0.1,
        crop_scale=(0.5, 1.0),
        horizontal_flip=True,
        validations=2,
        threads=1,
        precision="fp32",
        gradient_checkpointing=False,
        batchnorm="pretrained",
        image_size=32,
        device="cpu",
    )


@pytest.fixture
def unet_recipe() -> "UnetRecipe":
    """Three steps of six images."""
    from medpeft.training.unet import UnetRecipe  # imports diffusers, which takes seconds

    return UnetRecipe(
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


@pytest.fixture
def splits() -> dict[str, Split]:
    """Three splits of images whose three classes differ in brightness, so that they can be learned."""
    rng = np.random.default_rng(0)
    return {name: _split(rng, name, size) for name, size in (("train", 30), ("validation", 12), ("test", 12))}


def _split(rng: np.random.Generator, name: str, size: int) -> Split:
    labels = np.arange(size) % 3
    images = rng.integers(0, 80, (size, 37, 37, 3)) + 80 * labels[:, None, None, None]
    rows = pd.DataFrame(
        {
            "image_id": [f"{name}{number}" for number in range(size)],
            "cluster": np.arange(size),
            "label": [f"class{label}" for label in labels],
        }
    )
    return Split(torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(labels), rows)


def write_pipeline(folder: Path) -> None:
    """Save a Stable Diffusion pipeline with random weights for images of 32 pixels and captions of 16 letters."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    words = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    tokenizer = CLIPTokenizer({word: place for place, word in enumerate(words)}, [], model_max_length=16)
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    vae = AutoencoderKL(
        block_out_channels=(4, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=32,
    )
    unet = tiny_unet(sample_size=8, cross_attention_dim=16)
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def tiny_unet(sample_size: int, cross_attention_dim: int) -> "UNet2DConditionModel":
    """Return a U-Net with random weights: two levels, attention on the lower one."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=sample_size,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=cross_attention_dim,
    )
