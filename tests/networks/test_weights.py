"""Pretrained weights are real, fit their architecture, and are never silently random."""

import os
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from skimage import data
from torch.nn import functional

from medpeft.base.errors import UserError
from medpeft.base.files import sha256
from medpeft.data.augmentation import normalise
from medpeft.networks.weights import fetch_weights

ROOT = Path(__file__).parents[2]

CAT = range(281, 286)  # the ImageNet classes of domestic cats
ESPRESSO = [967]


def _unpublished() -> str:
    """Return a backbone of timm for which there are no weights anywhere."""
    published = {name.split(".")[0] for name in timm.list_pretrained()}
    return next(name for name in timm.list_models("resnet*") if name not in published)


def _classes(network: torch.nn.Module, picture) -> list[int]:
    """Return the five likeliest ImageNet classes of a picture's centre, resized to 224 pixels."""
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    square = torch.from_numpy(picture[top : top + side, left : left + side].copy())[None]
    with torch.inference_mode():
        logits = network(functional.interpolate(normalise(square), 224, mode="bilinear", antialias=True))
    return logits[0].topk(5).indices.tolist()


@pytest.mark.parametrize(("picture", "classes"), [(data.cat, CAT), (data.coffee, ESPRESSO)])
def test_packaged_weights_recognise_a_picture(lite0, picture, classes):
    network = timm.create_model("efficientnet_lite0").eval()
    network.load_state_dict(load_file(lite0))
    assert set(_classes(network, picture())) & set(classes)


def test_mirror_comes_first(tmp_path):
    network = timm.create_model("resnet18")
    (tmp_path / "weights").mkdir()
    save_file(network.state_dict(), tmp_path / "weights" / "resnet18.safetensors")
    origin = fetch_weights("resnet18", tmp_path / "model.safetensors", mirror=str(tmp_path))
    assert origin.endswith("weights/resnet18.safetensors")
    assert torch.equal(load_file(tmp_path / "model.safetensors")["fc.weight"], network.fc.weight)


def test_a_mirror_may_be_an_address(tmp_path):
    """Its top lacks the file, its subfolder has it."""
    network = timm.create_model("resnet18")
    (tmp_path / "weights").mkdir()
    save_file(network.state_dict(), tmp_path / "weights" / "resnet18.safetensors")
    with ThreadingHTTPServer(("localhost", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://localhost:{server.server_port}"
        origin = fetch_weights("resnet18", tmp_path / "model.safetensors", mirror=address)
        server.shutdown()
    assert origin == f"{address}/weights/resnet18.safetensors"
    kept = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(kept[name], tensor) for name, tensor in network.state_dict().items())


def test_weights_of_another_architecture_are_refused(tmp_path):
    (tmp_path / "weights").mkdir()
    save_file(timm.create_model("resnet18").state_dict(), tmp_path / "weights" / "resnet34.safetensors")
    with pytest.raises(UserError, match=r"resnet34.*do not fit the architecture"):
        fetch_weights("resnet34", tmp_path / "model.safetensors", mirror=str(tmp_path))
    assert not (tmp_path / "model.safetensors").exists()


def test_unknown_backbone_is_named(tmp_path):
    with pytest.raises(UserError, match="no backbone 'resnet5O'"):
        fetch_weights("resnet5O", tmp_path / "model.safetensors", mirror=None)


def test_backbone_without_published_weights_is_refused_not_random(tmp_path):
    name = _unpublished()
    with pytest.raises(UserError, match=f"no pretrained weights were found for the backbone '{name}'"):
        fetch_weights(name, tmp_path / "model.safetensors", mirror=None)


def test_damaged_mirror_file_is_reported(tmp_path):
    (tmp_path / "weights").mkdir()
    name = _unpublished()
    (tmp_path / "weights" / f"{name}.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(UserError, match="SafetensorError"):
        fetch_weights(name, tmp_path / "model.safetensors", mirror=str(tmp_path))


def test_another_checksum_is_refused(tmp_path):
    save_file(timm.create_model("resnet18").state_dict(), tmp_path / "resnet18.safetensors")
    path = tmp_path / "kept" / "model.safetensors"
    with pytest.raises(UserError, match=r"have the checksum sha256:.* but the study's checksums ask for sha256:00"):
        fetch_weights("resnet18", path, mirror=str(tmp_path), checksum="sha256:" + 64 * "0")
    assert not path.exists()
    fetch_weights("resnet18", path, mirror=str(tmp_path), checksum=None)
    fetch_weights("resnet18", path, mirror=str(tmp_path), checksum=f"sha256:{sha256(path)}")


@pytest.mark.parametrize("damaged", [False, True])
def test_a_download_is_checked_against_the_hash_that_the_hub_names_it_by(tmp_path, damaged):
    """The cache of the hub as timm would leave it, its file whole or damaged."""
    state = timm.create_model("test_resnet").state_dict()
    repository = tmp_path / "models--timm--test_resnet.r160_in1k"
    (repository / "blobs").mkdir(parents=True)
    (repository / "snapshots" / "main").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("main")
    save_file(state, tmp_path / "file")
    blob = repository / "blobs" / (64 * "0" if damaged else sha256(tmp_path / "file"))
    (tmp_path / "file").rename(blob)
    (repository / "snapshots" / "main" / "model.safetensors").symlink_to(blob)
    script = (
        "from medpeft.networks.weights import fetch_weights; from pathlib import Path; "
        f"print(fetch_weights('test_resnet', Path({str(tmp_path / 'kept')!r}), None))"
    )
    environment = os.environ | {
        "HF_HUB_CACHE": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT / "scripts"),
    }
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    if damaged:
        assert result.returncode != 0
        assert "is damaged" in result.stderr
    else:
        assert result.stdout.strip() == "timm", result.stderr
        assert torch.equal(load_file(tmp_path / "kept")["fc.weight"], state["fc.weight"])


def test_mirror_that_is_no_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="`mirror` names 'nowhere'"):
        fetch_weights("resnet18", tmp_path / "model.safetensors", mirror="nowhere")
