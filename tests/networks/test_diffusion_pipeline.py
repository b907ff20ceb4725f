"""Diffusion pipelines are fetched complete or not at all."""

import shutil
from http.server import SimpleHTTPRequestHandler

import pytest
import torch
from safetensors.torch import load_file, save_file
from served import served

from medpeft.base.errors import UserError
from medpeft.base.files import read_json, write_json
from medpeft.networks.diffusion import load_diffusion_pipeline
from medpeft.networks.diffusion_pipeline import fetch_diffusion_pipeline


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


def test_a_pipeline_comes_from_a_signed_mirror_and_its_source_tells_no_secret(diffusion, tmp_path):
    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path / "mirror"))

        def do_GET(self):
            if self.path.endswith("?sv=1&sig=s3cr3t"):
                return super().do_GET()
            return self.send_error(403)

        def log_message(self, *_):
            pass

    shutil.copytree(diffusion, tmp_path / "mirror" / "weights" / "tiny")
    with served(Handler) as address:
        mirror = f"{address.replace('//', '//user:s3cr3t@')}/?sv=1&sig=s3cr3t"
        fetch_diffusion_pipeline("tiny", None, tmp_path / "kept", mirror)
    source = (tmp_path / "kept" / "source.json").read_text()
    assert "REDACTED@127.0.0.1" in source
    assert "s3cr3t" not in source
