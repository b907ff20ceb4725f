"""A record says where its result comes from."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from medpeft.base.files import read_json, write_json, write_table
from medpeft.pipeline.provenance import provenance
from medpeft.statistics.evaluate import evaluate

STUDY = {"study": "s", "recipe": {"epochs": 1}, "mirror": "here"}
ASKED = {"recipe": {"epochs": 1}, "learning_rate": 0.1}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a finished run of code.py on data.npy."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.npy").write_bytes(b"data")
    (tmp_path / "code.py").write_bytes(b"code")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "adapter.safetensors").write_bytes(b"adapter")
    table = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1], "label": ["x", "y"]})
    predictions = table.assign(probability_x=[0.9, 0.2], probability_y=[0.1, 0.8])
    write_table(folder / "predictions.csv", predictions)
    record = {"asked": ASKED | {"method": "full"}, "n_train": 4, "status": "ok"}
    outputs = [folder / "adapter.safetensors", folder / "predictions.csv"]
    record["provenance"] = provenance(STUDY, ["data.npy", "code.py"], outputs)
    write_json(folder / "record.json", record)
    write_json(folder / "metrics.json", evaluate(predictions, record))
    return folder


def test_a_record_says_where_its_result_comes_from(run):
    origin = read_json(run / "record.json")["provenance"]
    assert origin["inputs"]["data.npy"] == "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"
    assert set(origin["outputs"]) == {"adapter.safetensors", "predictions.csv"}
    assert origin["packages"]["numpy"] == np.__version__
    assert origin["hardware"]
    assert len(origin["study"]) == 64


def test_the_hash_of_a_study_is_that_of_its_settings():
    def digest(study):
        return provenance(study, [], [])["study"]

    assert digest(STUDY | {"mirror": "there"}) == digest(STUDY)  # where archives are fetched from is no setting
    assert digest(STUDY | {"recipe": {"epochs": 2}}) != digest(STUDY)


def test_the_commit_is_the_projects_wherever_a_study_runs(tmp_path, monkeypatch, root):
    if not (root / ".git").exists():
        pytest.skip("not a checkout of git")
    monkeypatch.chdir(tmp_path)
    assert len(provenance(STUDY, [], [])["commit"]) == 40


def test_a_packed_release_names_its_commit_even_within_the_checkout_of_another_project(tmp_path, monkeypatch):
    monkeypatch.setattr("medpeft.pipeline.provenance.PROJECT", tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".commit").write_text("$Format:%H$\n")
    assert provenance(STUDY, [], [])["commit"] is None
    (tmp_path / ".commit").write_text("a" * 40 + "\n")
    found = provenance(STUDY, [], [])
    assert (found["commit"], found["dirty"]) == ("a" * 40, False)
