"""Images and captions are encoded as the diffusion pipeline itself encodes them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from toy_captions import MANIFEST, write_encoded, write_images

from medpeft.generation.encode import Encoder, encode
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


@pytest.fixture(scope="module")
def reports() -> pd.DataFrame:
    """Two images share a report of 30 letters, one has the longest that fits, one is longer by a letter."""
    captions = ["p" * 30, "p" * 30, "q" * 14, "r" * 15]
    return pd.DataFrame({"image_id": list("abcd"), "label": "benign", "caption": captions})


def test_captions_that_are_cut_are_counted_and_no_word_of_them_is_printed(diffusion, reports, tmp_path, capfd, caplog):
    with caplog.at_level("DEBUG"):
        encoder = Encoder(diffusion, 32, "cpu")
        images, files = write_images(tmp_path), (tmp_path / "moments.npy", tmp_path / "texts.npy")
        encoded = encode(encoder, images, reports, *files)
    assert encoded.lengths == {"tokens": 16, "captions": 3, "cut": 2, "images": 3}
    printed = caplog.text + "".join(capfd.readouterr())
    assert "truncated" not in printed
    assert not re.search(r"p\s?p\s?p|r\s?r\s?r", printed)


def test_a_cut_caption_is_embedded_as_the_pipeline_does(diffusion, reports, tmp_path):
    encode(Encoder(diffusion, 32, "cpu"), write_images(tmp_path), reports, tmp_path / "m.npy", tmp_path / "t.npy")
    pipeline, texts = load_diffusion_pipeline(diffusion), np.load(tmp_path / "t.npy")
    for place, caption in enumerate(["", *sorted(set(reports["caption"]))]):
        with torch.no_grad():
            expected = pipeline.encode_prompt(caption, "cpu", 1, False)[0][0]
        np.testing.assert_array_equal(texts[place], expected.half().numpy())
