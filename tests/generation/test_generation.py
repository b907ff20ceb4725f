"""Text-to-image: pairs as the pipeline encodes them, trainings that resume, images that depend on their seed alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch_fidelity
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional
from torch_fidelity.utils import create_feature_extractor

from medpeft.base.errors import UserError
from medpeft.base.files import read_json, write_json
from medpeft.data.augmentation import normalise
from medpeft.generation.encode import encode
from medpeft.generation.fidelity import Pixels, fidelity, real_images, scores
from medpeft.generation.generate import Sampling, generate
from medpeft.generation.reference import reference
from medpeft.methods import registry
from medpeft.networks.delta import delta
from medpeft.networks.diffusion import adapted_unet, load_diffusion_pipeline, noise_seed
from medpeft.networks.diffusion_pipeline import fetch_diffusion_pipeline
from medpeft.networks.extractor import count_features, registered
from medpeft.networks.models import architecture
from medpeft.training.captioned import CaptionedLatents, chosen, drawn, load_captioned
from medpeft.training.finetune_unet import TunedUnet, finetune_unet
from medpeft.training.outcome import RunFiles

NAMES = [name for name in registry.names() if "unet" in registry.load(name).encoders]
CAPTIONS = ["a cyst", "a mass", "", "a cyst"]
SAMPLING = Sampling(
    scheduler=None,
    sampling_steps=2,
    guidance=4,
    sampling_batch=4,
    precision="fp32",
    threads=1,
    device="cpu",
    image_size=32,
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
    captions = encode(diffusion, images, manifest, 32, "cpu", paths["moments"], paths["texts"])
    captions.to_csv(images.with_name("captions.csv"), index=False)
    return paths | {"captions": images.with_name("captions.csv")}


@pytest.fixture(scope="module")
def pairs(encoded, tmp_path_factory) -> tuple[CaptionedLatents, CaptionedLatents]:
    """Twenty pairs for training, ten for testing."""
    folder = tmp_path_factory.mktemp("splits")
    names = [f"i{number:02d}" for number in range(40)]
    parts = ["train"] * 20 + ["validation"] * 10 + ["test"] * 10
    pd.DataFrame({"image_id": names, "split": parts}).to_csv(folder / "split.csv", index=False)
    share = np.arange(20) / 20
    pd.DataFrame({"image_id": names[:20], "share": share}).to_csv(folder / "subset.csv", index=False)
    return load_captioned(**encoded, split=folder / "split.csv", subset=folder / "subset.csv", fraction=1)


def unet_of(diffusion, name, seed=0):
    torch.manual_seed(seed)
    return adapted_unet(diffusion, registry.load(name))


def write_adapter(diffusion, name, folder, size=0.1) -> Path:
    """Write the delta of a method, each of its numbers moved by about `size`, as if it had been trained."""
    generator = torch.Generator().manual_seed(2)
    tensors = delta(unet_of(diffusion, name))
    moved = {key: tensor + size * torch.randn(tensor.shape, generator=generator) for key, tensor in tensors.items()}
    save_file(moved, folder / "adapter.safetensors")
    return folder / "adapter.safetensors"


def test_pipeline_comes_from_the_mirror_complete(diffusion, tmp_path):
    shutil.copytree(diffusion, tmp_path / "mirror" / "weights" / "tiny")
    fetch_diffusion_pipeline("tiny", None, tmp_path / "kept", str(tmp_path / "mirror"))
    ours, theirs = (load_diffusion_pipeline(folder).unet.state_dict() for folder in (tmp_path / "kept", diffusion))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert "mirror/weights/tiny" in (tmp_path / "kept" / "source.json").read_text()


@pytest.mark.parametrize("part", ["unet", "vae"])
def test_pipeline_with_a_network_that_would_be_random_is_refused(diffusion, tmp_path, part):
    shutil.copytree(diffusion, tmp_path / "mirror" / "tiny")
    path = tmp_path / "mirror" / "tiny" / part / "diffusion_pytorch_model.safetensors"
    state = load_file(path)
    state.pop(min(state))
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(UserError, match=rf"'tiny' was not found .*{part}"):
        fetch_diffusion_pipeline("tiny", None, tmp_path / "kept", str(tmp_path / "mirror"))
    assert not (tmp_path / "kept").exists()


def test_a_pipeline_that_is_trained_otherwise_is_refused(diffusion, tmp_path):
    shutil.copytree(diffusion, tmp_path / "mirror" / "tiny")
    path = tmp_path / "mirror" / "tiny" / "scheduler" / "scheduler_config.json"
    write_json(path, read_json(path) | {"prediction_type": "sample"})
    with pytest.raises(UserError, match="predicts the sample, where epsilon or v_prediction can be trained"):
        fetch_diffusion_pipeline("tiny", None, tmp_path / "kept", str(tmp_path / "mirror"))


def test_pickled_weights_are_not_taken(diffusion, tmp_path):
    shutil.copytree(diffusion, tmp_path / "mirror" / "tiny")
    path = tmp_path / "mirror" / "tiny" / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(path), path.with_suffix(".bin"))
    path.unlink()
    with pytest.raises(UserError, match=r"unet/diffusion_pytorch_model.safetensors: there is no such file"):
        fetch_diffusion_pipeline("tiny", None, tmp_path / "kept", str(tmp_path / "mirror"))


def test_pipeline_that_nobody_has_is_named(tmp_path):
    with pytest.raises(UserError, match="'tiny' was not found"):
        fetch_diffusion_pipeline("tiny", None, tmp_path / "kept", None)


def test_latents_are_those_of_the_autoencoder(diffusion, images, encoded):
    pipeline = load_diffusion_pipeline(diffusion)
    pixels = torch.from_numpy(np.load(images)[:, 2:34, 2:34]).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        posterior = pipeline.vae.encode(pixels).latent_dist
    expected = torch.cat([posterior.mean, posterior.logvar], 1)
    found = np.load(encoded["moments"], mmap_mode="r")
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected.numpy(), rtol=2e-3, atol=2e-3)


def test_texts_are_what_the_pipeline_makes_of_its_prompts(diffusion, encoded, manifest):
    pipeline, texts = load_diffusion_pipeline(diffusion), np.load(encoded["texts"])
    table = pd.read_csv(encoded["captions"], keep_default_na=False)
    assert list(table["caption"]) == list(manifest["caption"])
    assert len(texts) == 3
    for caption, place in {("", 0), *zip(table["caption"], table["text"], strict=True)}:
        with torch.no_grad():
            expected = pipeline.encode_prompt(caption, "cpu", 1, False)[0][0]
        np.testing.assert_allclose(texts[place], expected.numpy(), rtol=2e-3, atol=2e-3)


def test_parts_are_those_of_split_and_subset(pairs):
    train, test = pairs
    assert (len(train.rows), len(test.rows)) == (20, 10)
    assert list(test.rows["row"]) == list(range(30, 40))
    assert set(chosen(test.rows, 8)["image_id"]) < set(test.rows["image_id"])
    assert len(chosen(test.rows, 100)) == 10
    with pytest.raises(UserError, match="7 images, too few"):
        chosen(test.rows.head(7), 8)


def test_prompts_are_the_captions_of_the_real_images(pairs, manifest):
    """The generated images stand beside real ones that are chosen from the manifest."""
    of_manifest = chosen(manifest.iloc[30:], 8)
    of_pairs = chosen(pairs[1].rows, 8)
    assert list(of_pairs["image_id"]) == list(of_manifest["image_id"])
    assert list(of_pairs["caption"]) == list(of_manifest["caption"])


def test_images_of_other_seeds_start_from_other_noise(diffusion, pairs, tmp_path):
    adapter, prompts = write_adapter(diffusion, "norm", tmp_path), chosen(pairs[1].rows, 8).head(2)
    shown = set()
    for seed in (0, 1, 2**20):
        folder = tmp_path / str(seed)
        files = generate(diffusion, "norm", adapter, pairs[1].texts, prompts, SAMPLING, seed, 1, folder)
        shown |= {(folder / file).read_bytes() for file in files["file"]}
    assert len(shown) == 6


def test_seeds_of_noise_are_far_apart():
    """Otherwise the steps or images of one run would repeat those of another a little later."""
    starts = np.sort([noise_seed(seed, 0) for seed in range(1000)])
    assert np.diff(starts).min() > 1_000_000
    assert noise_seed(3, 8) == noise_seed(3, 7) + 1


@pytest.mark.parametrize("name", NAMES)
def test_each_method_trains_and_its_adapter_makes_other_images(name, diffusion, pairs, unet_recipe, tmp_path):
    train, test = pairs
    adapter = tmp_path / "adapter.safetensors"
    files = RunFiles(adapter, tmp_path / "checkpoint")
    outcome = finetune_unet(TunedUnet(diffusion, name), train, unet_recipe, 1e-2, 0, files)
    assert outcome.status == "ok"
    assert outcome.cost["adapter_bytes"] == adapter.stat().st_size
    assert sum(tensor.numel() for tensor in load_file(adapter).values()) == outcome.cost["trainable_parameters"]
    prompts = chosen(test.rows, 8).head(2)
    files = generate(diffusion, name, adapter, test.texts, prompts, SAMPLING, 0, 1, tmp_path / "images")
    base = load_diffusion_pipeline(diffusion)
    plain = base(
        prompt_embeds=torch.from_numpy(test.texts[prompts["text"].to_numpy()]).float(),
        negative_prompt_embeds=torch.from_numpy(test.texts[[0, 0]]).float(),
        height=32,
        width=32,
        num_inference_steps=2,
        guidance_scale=4,
        generator=[torch.Generator().manual_seed(int(seed)) for seed in files["seed"]],
    ).images
    shown = np.asarray(Image.open(tmp_path / "images" / "0" / "00000.png"))
    assert shown.shape == (32, 32, 3)
    assert (shown != np.asarray(plain[0])).any() == (name != "untuned")


@pytest.mark.parametrize("scheduler", [None, "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_batch_size_makes_no_difference(scheduler, diffusion, pairs, tmp_path):
    _, test = pairs
    adapter = write_adapter(diffusion, "norm", tmp_path)
    shown = []
    for size in (1, 3, 8):
        sampling = replace(SAMPLING, sampling_batch=size, scheduler=scheduler)
        folder = tmp_path / str(size)
        files = generate(diffusion, "norm", adapter, test.texts, chosen(test.rows, 8), sampling, 5, 1, folder)
        shown.append(np.stack([np.asarray(Image.open(folder / file)) for file in files["file"]]).astype(int))
    assert all(np.abs(other - shown[0]).max() <= 1 for other in shown[1:])
    assert len({image.tobytes() for image in shown[0]}) == 8


def test_repeats_show_the_same_captions_from_other_noise(diffusion, pairs, tmp_path):
    adapter = write_adapter(diffusion, "norm", tmp_path)
    prompts = chosen(pairs[1].rows, 8).head(2)
    files = generate(diffusion, "norm", adapter, pairs[1].texts, prompts, SAMPLING, 3, 2, tmp_path / "images")
    assert list(files["file"]) == ["0/00000.png", "0/00001.png", "1/00000.png", "1/00001.png"]
    assert list(files["image_id"]) == list(prompts["image_id"]) * 2
    assert list(files["label"]) == list(prompts["label"]) * 2
    assert files["seed"].is_unique
    assert len({(tmp_path / "images" / file).read_bytes() for file in files["file"]}) == 4


def test_prompts_for_training_keep_the_proportions_of_the_classes(pairs):
    rows = pairs[0].rows.assign(share=pairs[0].rows.groupby("label").cumcount().div(10))
    sizes = rows["label"].value_counts(normalize=True)
    half = drawn(rows, 10)
    assert half["image_id"].is_unique
    np.testing.assert_allclose(half["label"].value_counts(normalize=True)[sizes.index], sizes, atol=0.15)
    more = drawn(rows, 50)
    assert len(more) == 50
    assert set(more["image_id"].value_counts()) == {2, 3}


def test_unknown_scheduler_is_named(diffusion, pairs, tmp_path):
    adapter = write_adapter(diffusion, "norm", tmp_path)
    sampling = replace(SAMPLING, scheduler="DDIMSheduler")
    with pytest.raises(UserError, match="'DDIMSheduler', which diffusers lacks"):
        generate(diffusion, "norm", adapter, pairs[1].texts, pairs[1].rows, sampling, 0, 1, tmp_path / "images")


def _write(folder: Path, pixels: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number:05d}.png")
    return folder


def test_scores_are_those_of_torch_fidelity_on_folders(images, manifest, lite0, tmp_path):
    real = real_images(images, manifest, manifest.iloc[20:], 32)
    generated = np.random.default_rng(1).integers(0, 200, (20, 32, 32, 3), dtype=np.uint8)
    first, second = _write(tmp_path / "generated" / "0", generated), _write(tmp_path / "real", real.pixels)
    (tmp_path / "generated" / ".snakemake_timestamp").touch()  # as Snakemake does in a folder that a rule makes
    floor = reference(real, "efficientnet_lite0", lite0, tmp_path / "cache", 1, "cpu")
    cached = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert cached
    assert all(real.name in name and "32px-20" in name for name in cached)
    found = fidelity(first.parent, real, "efficientnet_lite0", lite0, tmp_path / "cache", 1, "cpu")
    assert cached == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    expected = torch_fidelity.calculate_metrics(
        input1=str(first),
        input2=str(second),
        fid=True,
        kid=True,
        prc=True,
        kid_subset_size=20,
        feature_extractor=registered("efficientnet_lite0"),
        feature_extractor_weights_path=str(lite0),
        cuda=False,
        cache=False,
        verbose=False,
    )
    assert found["fid"] == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)
    assert found["kid"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)
    assert (found["precision"], found["recall"]) == (expected["precision"], expected["recall"])
    assert floor["floor_images"] == 10
    assert floor["floor_fid"] > 0


def test_images_are_as_good_as_themselves(images, manifest, lite0):
    real = real_images(images, manifest, manifest, 32)
    found = scores(real, Pixels(real.pixels.copy()), "efficientnet_lite0", lite0, "cpu")
    assert abs(found["fid"]) < 1e-3
    assert found["precision"] == found["recall"] == 1


def test_scores_of_repeats_are_means(images, manifest, lite0, tmp_path):
    real = real_images(images, manifest, manifest.iloc[20:], 32)
    random = np.random.default_rng(1)
    each = []
    for repeat in range(3):
        pixels = random.integers(0, 100 + 50 * repeat, (20, 32, 32, 3), dtype=np.uint8)
        _write(tmp_path / "generated" / str(repeat), pixels)
        each.append(scores(Pixels(pixels), real, "efficientnet_lite0", lite0, "cpu"))
    (tmp_path / "generated" / ".snakemake_timestamp").touch()  # as Snakemake leaves in every folder that a rule writes
    found = fidelity(tmp_path / "generated", real, "efficientnet_lite0", lite0, tmp_path / "cache", 1, "cpu")
    fids = np.array([one["fid"] for one in each])
    assert found["fid_sd"] == pytest.approx(np.sqrt(((fids - fids.mean()) ** 2).sum() / 2), rel=1e-3)
    for name in ("fid", "kid", "precision", "recall"):
        assert found[name] == pytest.approx(np.mean([one[name] for one in each]), rel=1e-3)


@pytest.mark.parametrize("backbone", ["resnet18", "vit_tiny_patch16_224", "vit_mini_patch8_64"])
def test_any_network_of_timm_serves_as_extractor(backbone, images, manifest, tmp_path):
    """Its features are those of the same network called by hand."""
    torch.manual_seed(0)
    network = architecture(backbone, num_classes=0).eval()
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    pixels = torch.from_numpy(real_images(images, manifest, manifest.head(3), 32).pixels)
    size = {"resnet18": 128, "vit_tiny_patch16_224": 224, "vit_mini_patch8_64": 64}[backbone]
    with torch.no_grad():
        found = create_feature_extractor(
            registered(backbone),
            ["pooled"],
            cuda=False,
            feature_extractor_weights_path=str(tmp_path / "model.safetensors"),
            feature_extractor_compile=False,
            verbose=False,
        )(pixels.permute(0, 3, 1, 2))[0]
        expected = network(functional.interpolate(normalise(pixels), size, mode="bilinear", antialias=True))
    assert found.shape == (3, count_features(backbone))
    torch.testing.assert_close(found, expected)


def test_unequal_numbers_are_refused(images, manifest, lite0, tmp_path):
    real = real_images(images, manifest, manifest, 32)
    folder = _write(tmp_path / "generated" / "0", real.pixels[:9]).parent
    with pytest.raises(UserError, match="has 9 images where the real side has 40"):
        fidelity(folder, real, "efficientnet_lite0", lite0, tmp_path / "cache", 1, "cpu")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "untuned"])
def test_an_adapter_that_changes_nothing_is_refused(name, diffusion, pairs, tmp_path):
    """Also where its numbers differ from those that generate draws, as the first factor of LoRA does."""
    adapter, texts = write_adapter(diffusion, name, tmp_path, size=0), pairs[1].texts
    torch.manual_seed(7)
    with pytest.raises(UserError, match=r"adapter.safetensors changes nothing of the pipeline"):
        generate(diffusion, name, adapter, texts, pairs[1].rows, SAMPLING, 0, 1, tmp_path / "images")


@pytest.mark.parametrize("spoil", [lambda tensor: None, lambda tensor: tensor[:1]], ids=["missing", "of another shape"])
def test_an_adapter_whose_tensors_find_no_place_is_refused(spoil, diffusion, pairs, tmp_path):
    adapter = write_adapter(diffusion, "lora", tmp_path)
    tensors = load_file(adapter)
    first = min(tensors)
    spoilt = spoil(tensors.pop(first))
    save_file(tensors | ({} if spoilt is None else {first: spoilt.contiguous()}), adapter)
    with pytest.raises(UserError, match=r"does not belong to this model: 1 tensors differ, such as .*lora_A"):
        generate(diffusion, "lora", adapter, pairs[1].texts, pairs[1].rows, SAMPLING, 0, 1, tmp_path / "images")


def pictures(diffusion, name, pairs, folder, seed=0) -> np.ndarray:
    """Return the images, uint8 (N, 32, 32, 3), that `generate` makes with the adapter in `folder`."""
    files = generate(
        diffusion, name, folder / "adapter.safetensors", pairs[1].texts, pairs[1].rows, SAMPLING, seed, 1, folder
    )
    return np.stack([np.asarray(Image.open(folder / file)) for file in files["file"]])


def test_an_adapter_that_is_not_loaded_gives_the_untuned_images(diffusion, pairs, tmp_path, monkeypatch):
    """One slip that may explain a published FID of LoRA near 400: no error, plausible images, none of them tuned."""
    for name in ("untuned", "lora"):
        (tmp_path / name).mkdir()
        write_adapter(diffusion, name, tmp_path / name)
    tuned = pictures(diffusion, "lora", pairs, tmp_path / "lora")
    untuned = pictures(diffusion, "untuned", pairs, tmp_path / "untuned")
    assert (tuned != untuned).any()
    monkeypatch.setattr("medpeft.generation.generate._load", lambda unet, adapter, text: None)
    assert (pictures(diffusion, "lora", pairs, tmp_path / "lora") == untuned).all()


def test_slips_that_leave_garbage_show_in_fid(diffusion, pairs, tmp_path, lite0):
    """Others that may: values of 0 to 1 saved as bytes, and a LoRA at a multiple of its scale.

    A pipeline of random weights makes noise under any adapter: that a wrong scale is worse is all that it can show.
    """
    adapter = write_adapter(diffusion, "lora", tmp_path)
    real, right = (Pixels(pictures(diffusion, "lora", pairs, tmp_path, seed)) for seed in (0, 1))
    as_bytes = Pixels((right.pixels / 255).astype(np.uint8))
    louder = {key: tensor * (100 if "lora_B" in key else 1) for key, tensor in load_file(adapter).items()}
    save_file(louder, adapter)
    wrong_scale = Pixels(pictures(diffusion, "lora", pairs, tmp_path, 1))
    fids = [scores(real, found, "efficientnet_lite0", lite0, "cpu")["fid"] for found in (right, as_bytes, wrong_scale)]
    assert fids[1] > 3 * fids[0]
    assert fids[2] > fids[0]
