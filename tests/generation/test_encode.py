"""Images and captions are encoded as the diffusion pipeline itself encodes them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from toy_captions import MANIFEST, write_encoded

from medpeft.networks.diffusion import load_diffusion_pipeline


@pytest.fixture(scope="module")
def encoded(diffusion, tmp_path_factory) -> dict[str, Path]:
    """The files of the encoded dataset."""
    return write_encoded(diffusion, tmp_path_factory.mktemp("encoded"))


def test_latents_are_those_of_the_autoencoder(diffusion, encoded):
    pipeline = load_diffusion_pipeline(diffusion)
    images = np.load(encoded["moments"].with_name("images.npy"))
    pixels = torch.from_numpy(images[:, 2:34, 2:34]).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        posterior = pipeline.vae.encode(pixels).latent_dist
    expected = torch.cat([posterior.mean, posterior.logvar], 1)
    found = np.load(encoded["moments"], mmap_mode="r")
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected.numpy(), rtol=2e-3, atol=2e-3)


def test_texts_are_what_the_pipeline_makes_of_its_prompts(diffusion, encoded):
    pipeline, texts = load_diffusion_pipeline(diffusion), np.load(encoded["texts"])
    table = pd.read_csv(encoded["captions"], keep_default_na=False)
    assert list(table["caption"]) == list(MANIFEST["caption"])
    assert len(texts) == 3
    for caption, place in {("", 0), *zip(table["caption"], table["text"], strict=True)}:
        with torch.no_grad():
            expected = pipeline.encode_prompt(caption, "cpu", 1, False)[0][0]
        np.testing.assert_allclose(texts[place], expected.numpy(), rtol=2e-3, atol=2e-3)
