"""Generated images: they depend on their seed alone, follow the adapter, and an adapter without effect is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from toy_captions import MANIFEST, write_captioned

from medpeft.base.errors import UserError
from medpeft.generation import generate as generate_module
from medpeft.generation.features import Extractor, features
from medpeft.generation.generate import GENERATED_COLUMNS, Prompts, Sampling, TunedPipeline, generate, prompts_of
from medpeft.generation.likeness import Likeness
from medpeft.generation.reference import compared_images
from medpeft.methods import registry
from medpeft.networks.delta import delta
from medpeft.networks.diffusion import adapted_unet, load_diffusion_pipeline
from medpeft.training.captioned import CaptionedLatents
from medpeft.training.finetune_unet import TunedUnet, finetune_unet
from medpeft.training.outcome import RunFiles

NAMES = [name for name in registry.names() if "unet" in registry.load(name).encoders]
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
def captioned(diffusion, tmp_path_factory) -> tuple[CaptionedLatents, CaptionedLatents]:
    """Twenty images with captions for training, ten for testing."""
    return write_captioned(diffusion, tmp_path_factory.mktemp("encoded"))


@pytest.fixture(scope="module")
def prompts(captioned) -> Prompts:
    """The captions of all test images."""
    return prompts_of("test", *captioned, count=10)


@pytest.fixture(scope="module")
def few(prompts) -> Prompts:
    """Two of them."""
    return replace(prompts, rows=prompts.rows.head(2))


def write_adapter(diffusion, name, folder, size=0.1) -> TunedPipeline:
    """Write the delta of a method, each of its numbers moved by about `size`, as if it had been trained."""
    generator = torch.Generator().manual_seed(2)
    torch.manual_seed(0)
    tensors = delta(adapted_unet(diffusion, registry.load(name)))
    moved = {key: tensor + size * torch.randn(tensor.shape, generator=generator) for key, tensor in tensors.items()}
    save_file(moved, folder / "adapter.safetensors")
    return TunedPipeline(diffusion, name, folder / "adapter.safetensors")


def shown(tuned, prompts, folder, sampling=SAMPLING, seed=0) -> np.ndarray:
    """Return the images, uint8 (N, 32, 32, 3), that `generate` makes of each prompt."""
    files = generate(tuned, prompts, sampling, seed, 1, folder)
    return np.stack([np.asarray(Image.open(folder / file)) for file in files["file"]])


def test_prompts_are_the_captions_of_the_real_images(captioned):
    """The generated images stand beside real ones that are chosen from the manifest, in the same order."""
    split = MANIFEST[["image_id"]].assign(split=["train"] * 20 + ["validation"] * 10 + ["test"] * 10)
    compared = compared_images(MANIFEST, split.assign(cluster=range(40)), 8)
    prompts = prompts_of("test", *captioned, count=8)
    rows = MANIFEST.set_index("image_id").loc[prompts.rows["image_id"]]
    assert list(prompts.rows["caption"]) == list(rows["caption"])
    assert list(compared["image_id"]) == list(prompts.rows["image_id"])
    assert list(MANIFEST["image_id"].iloc[compared["row"]]) == list(compared["image_id"])


def test_prompts_for_training_are_captions_of_the_training_images(captioned):
    train, test = captioned
    prompts = prompts_of("train", train, test, count=30)
    assert prompts.texts is test.texts
    assert set(prompts.rows["image_id"]) == set(train.rows["image_id"])
    assert len(prompts.rows) == 30


def test_images_of_other_seeds_start_from_other_noise(diffusion, few, tmp_path):
    tuned = write_adapter(diffusion, "norm", tmp_path)
    found = set()
    for seed in (0, 1, 2**20):
        folder = tmp_path / str(seed)
        files = generate(tuned, few, SAMPLING, seed, 1, folder)
        found |= {(folder / file).read_bytes() for file in files["file"]}
    assert len(found) == 6


@pytest.mark.parametrize("name", NAMES)
def test_each_method_trains_and_its_adapter_makes_other_images(name, diffusion, captioned, few, tmp_path, unet_recipe):
    adapter = tmp_path / "adapter.safetensors"
    run = RunFiles(adapter, tmp_path / "checkpoint")
    outcome = finetune_unet(TunedUnet(diffusion, name), captioned[0], unet_recipe, 1e-2, 0, run)
    assert outcome.status == "ok"
    assert outcome.cost["adapter_bytes"] == adapter.stat().st_size
    assert sum(tensor.numel() for tensor in load_file(adapter).values()) == outcome.cost["trainable_parameters"]
    files = generate(TunedPipeline(diffusion, name, adapter), few, SAMPLING, 0, 1, tmp_path / "images")
    base = load_diffusion_pipeline(diffusion)
    plain = base(
        prompt_embeds=torch.from_numpy(few.texts[few.rows["text"].to_numpy()]).float(),
        negative_prompt_embeds=torch.from_numpy(few.texts[[0, 0]]).float(),
        height=32,
        width=32,
        num_inference_steps=2,
        guidance_scale=4,
        generator=[torch.Generator().manual_seed(int(seed)) for seed in files["seed"]],
    ).images
    first = np.asarray(Image.open(tmp_path / "images" / "0" / "00000.png"))
    assert first.shape == (32, 32, 3)
    assert (first != np.asarray(plain[0])).any() == (name != "untuned")


@pytest.mark.parametrize("scheduler", [None, "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_batch_size_makes_no_difference(scheduler, diffusion, captioned, tmp_path):
    tuned, prompts = write_adapter(diffusion, "norm", tmp_path), prompts_of("test", *captioned, count=8)
    every = []
    for size in (1, 3, 8):
        sampling = replace(SAMPLING, sampling_batch=size, scheduler=scheduler)
        every.append(shown(tuned, prompts, tmp_path / str(size), sampling, seed=5).astype(int))
    assert all(np.abs(other - every[0]).max() <= 1 for other in every[1:])
    assert len({image.tobytes() for image in every[0]}) == 8


def test_repeats_show_the_same_captions_from_other_noise(diffusion, few, tmp_path):
    files = generate(write_adapter(diffusion, "norm", tmp_path), few, SAMPLING, 3, 2, tmp_path / "images")
    assert list(files.columns) == GENERATED_COLUMNS
    assert list(files["file"]) == ["0/00000.png", "0/00001.png", "1/00000.png", "1/00001.png"]
    assert list(files["image_id"]) == list(few.rows["image_id"]) * 2
    assert list(files["label"]) == list(few.rows["label"]) * 2
    assert files["seed"].is_unique
    assert len({(tmp_path / "images" / file).read_bytes() for file in files["file"]}) == 4


def _stray(folder):
    (folder / "0" / "00007.png").write_bytes(b"of another process")


def _exchanged(folder):
    (folder / "0" / "00000.png").write_bytes((folder / "0" / "00001.png").read_bytes())


def _gone(folder):
    (folder / "0" / "00001.png").unlink()


@pytest.mark.parametrize("disturb", [_stray, _exchanged, _gone])
def test_images_that_are_not_as_generated_are_refused(diffusion, few, tmp_path, monkeypatch, disturb):
    write, folder = generate_module._write, tmp_path / "images"

    def disturbed(*arguments):
        hashes = write(*arguments)
        disturb(folder)
        return hashes

    monkeypatch.setattr(generate_module, "_write", disturbed)
    with pytest.raises(UserError, match="images has other images than were generated: another process wrote there"):
        generate(write_adapter(diffusion, "norm", tmp_path), few, SAMPLING, 0, 1, folder)


def test_unknown_scheduler_is_named(diffusion, prompts, tmp_path):
    sampling = replace(SAMPLING, scheduler="DDIMSheduler")
    with pytest.raises(UserError, match="'DDIMSheduler', which diffusers lacks"):
        generate(write_adapter(diffusion, "norm", tmp_path), prompts, sampling, 0, 1, tmp_path / "images")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "untuned"])
def test_an_adapter_that_changes_nothing_is_refused(name, diffusion, prompts, tmp_path):
    """Also where its numbers differ from those that generate draws, as the first factor of LoRA does."""
    tuned = write_adapter(diffusion, name, tmp_path, size=0)
    torch.manual_seed(7)
    with pytest.raises(UserError, match=r"adapter.safetensors changes nothing of the diffusion pipeline"):
        generate(tuned, prompts, SAMPLING, 0, 1, tmp_path / "images")


@pytest.mark.parametrize("spoil", [lambda tensor: None, lambda tensor: tensor[:1]], ids=["missing", "of another shape"])
def test_an_adapter_whose_tensors_find_no_place_is_refused(spoil, diffusion, prompts, tmp_path):
    tuned = write_adapter(diffusion, "lora", tmp_path)
    tensors = load_file(tuned.adapter)
    first = min(tensors)
    spoilt = spoil(tensors.pop(first))
    save_file(tensors | ({} if spoilt is None else {first: spoilt.contiguous()}), tuned.adapter)
    with pytest.raises(UserError, match=r"does not belong to this model: 1 tensors differ, such as .*lora_A"):
        generate(tuned, prompts, SAMPLING, 0, 1, tmp_path / "images")


def test_an_adapter_that_is_not_loaded_gives_the_untuned_images(diffusion, prompts, tmp_path, monkeypatch):
    """One slip that may explain a published FID of LoRA near 400: no error, plausible images, none of them tuned."""
    for name in ("untuned", "lora"):
        (tmp_path / name).mkdir()
    plain, tuned = (write_adapter(diffusion, name, tmp_path / name) for name in ("untuned", "lora"))
    untuned = shown(plain, prompts, tmp_path / "untuned")
    assert (shown(tuned, prompts, tmp_path / "lora") != untuned).any()
    monkeypatch.setattr("medpeft.generation.generate._load", lambda unet, adapter, text: None)
    assert (shown(tuned, prompts, tmp_path / "lora") == untuned).all()


def test_slips_that_leave_garbage_show_in_fid(diffusion, prompts, tmp_path, lite0):
    """Others that may: values of 0 to 1 saved as bytes, and a LoRA at a multiple of its scale.

    A diffusion pipeline of random weights makes noise under any adapter. All that it can show is that a wrong scale is
    worse.
    """
    tuned = write_adapter(diffusion, "lora", tmp_path)
    real, right = (shown(tuned, prompts, tmp_path, seed=seed) for seed in (0, 1))
    as_bytes = (right / 255).astype(np.uint8)
    louder = {key: tensor * (100 if "lora_B" in key else 1) for key, tensor in load_file(tuned.adapter).items()}
    save_file(louder, tuned.adapter)
    wrong_scale = shown(tuned, prompts, tmp_path, seed=1)
    extractor = Extractor("efficientnet_lite0", lite0, 1, "cpu")
    described, *others = (features([pixels], extractor) for pixels in (real, right, as_bytes, wrong_scale))
    fids = [Likeness(found, described).scores(np.ones(len(real), int))[0, 0] for found in others]
    assert fids[1] > 3 * fids[0]
    assert fids[2] > fids[0]
