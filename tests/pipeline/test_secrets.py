"""The login and the signature of an address stand in the study, and nowhere else: the pipeline end to end."""

import base64
import copy
import os
import subprocess
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from served import served
from tiny import command, make_project

pytestmark = pytest.mark.slow

LOGIN = {"mine": "someone:s3cr3t%40word", "mirror": "other:s3cr3t"}
QUERY = {"mine": "X-Amz-Credential=s3cr3t&X-Amz-Signature=s3cr3t0123", "mirror": "sv=2024-11-04&sig=s3cr3t%2Bsas%3D"}
TOKENS = {
    "KAGGLE_KEY": "s3cr3t-of-kaggle",
    "HF_TOKEN": "hf_s3cr3t-of-the-hub",
    "https_proxy": "http://me:s3cr3t@localhost:9",
}
SECRET = b"s3cr3t"


def _archive() -> bytes:
    """Return sixty images of two classes as a zip."""
    rng, packed = np.random.default_rng(0), BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(60):
            stream = BytesIO()
            level = 120 * (number % 2)
            Image.fromarray(rng.integers(level, level + 100, (40, 40)).astype(np.uint8)).save(stream, "PNG")
            archive.writestr(f"{('dark', 'light')[number % 2]}/{number}.png", stream.getvalue())
    return packed.getvalue()


def _handler(files: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    """Return what serves `files`, by their paths with query, to whoever has the login of their place."""
    logins = {"Basic " + base64.b64encode(login.replace("%40", "@").encode()).decode() for login in LOGIN.values()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = files.get(self.path) if self.headers.get("Authorization") in logins else None
            self.send_response(200 if content else 403)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            pass

    return Handler


@pytest.fixture(scope="module")
def server(lite0) -> Iterator[str]:
    """The host and port of the private places."""
    files = {
        f"/mine.zip?{QUERY['mine']}": _archive(),
        f"/container/weights/efficientnet_lite0.safetensors?{QUERY['mirror']}": lite0.read_bytes(),
    }
    with served(_handler(files)) as address:
        yield address.removeprefix("http://")


def _study(server: str) -> dict:
    grid = {"datasets": ["mine"], "backbones": ["efficientnet_lite0"], "methods": ["linear_probe"]}
    return {
        "study": "tiny",
        "mirror": f"http://{LOGIN['mirror']}@{server}/container?{QUERY['mirror']}",
        "datasets": {
            "mine": {"classes": ["dark", "light"], "path": f"http://{LOGIN['mine']}@{server}/mine.zip?{QUERY['mine']}"}
        },
        "image_size": 32,
        "recipe": {"epochs": 1, "validations": 1},
        "tuning": {"trials": 1, "low": 1e-3},
        "experiments": {"table2": grid | {"fractions": [1], "seeds": [0]}},
    }


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | TOKENS | {"no_proxy": "127.0.0.1"}
    return subprocess.run(command(*arguments), cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _told(folder: Path, result: subprocess.CompletedProcess) -> list[str]:
    """Return where a secret is told: files but the study, and what was printed."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "tiny.yaml"]
    told = [str(path.relative_to(folder)) for path in files if SECRET in path.read_bytes()]
    return told + ["what was printed"] * (SECRET.decode() in result.stdout + result.stderr)


@pytest.fixture(scope="module")
def finished(server, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """A copy of the project in which the study with secret addresses has run, and what that printed."""
    folder = make_project(tmp_path_factory.mktemp("project"), _study(server))
    result = _run(folder, "--cores", "2")
    assert result.returncode == 0, result.stderr
    return folder, result


def test_a_finished_study_tells_no_secret(finished):
    folder, result = finished
    assert "REDACTED@127.0.0.1" in (folder / "results/tiny/cards/mine.md").read_text()
    assert "REDACTED@127.0.0.1" in (folder / "data/weights/efficientnet_lite0/source.json").read_text()
    assert _told(folder, result) == []


def test_its_report_tells_no_secret(finished):
    folder, _ = finished
    result = _run(folder, "--report", "report.html")
    assert result.returncode == 0, result.stderr
    assert "REDACTED" in (folder / "report.html").read_text()
    assert _told(folder, result) == []


@pytest.mark.parametrize(
    ("change", "reruns"),
    [(("someone:s3cr3t", "someone:s3cr3t-new"), False), (("mine.zip?", "mine.zip?part=s3cr3t&"), True)],
    ids=["login", "query"],
)
def test_a_changed_address_is_told_apart_without_being_told(finished, server, change, reruns):
    folder, _ = finished
    study = yaml.safe_dump(_study(server))
    (folder / "tiny.yaml").write_text(study.replace(*change))
    try:
        result = _run(folder, "--dry-run")
    finally:
        (folder / "tiny.yaml").write_text(study)
    assert result.returncode == 0, result.stderr
    assert ("rule download:" in result.stdout) == reruns
    assert _told(folder, result) == []


@pytest.mark.parametrize("place", ["mine", "mirror"])
def test_a_refused_address_is_named_without_its_secrets(finished, server, place, tmp_path):
    study = copy.deepcopy(_study(server))
    if place == "mine":
        study["datasets"]["mine"]["path"] = study["datasets"]["mine"]["path"].replace("0123", "9876")
    else:
        study["datasets"]["mine"]["path"] = None
    folder = make_project(tmp_path, study)
    result = _run(folder, "--cores", "1", "--", "results/tiny/audit/mine.csv")
    assert result.returncode != 0
    assert "HTTP 403" in result.stderr
    assert "REDACTED@127.0.0.1" in result.stderr
    assert _told(folder, result) == []
