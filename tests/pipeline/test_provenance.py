"""A record says where its result comes from, and `verify` tells whether that is still what is here."""

import json

import numpy as np
import pandas as pd
import pytest

from medpeft.base.files import read_json, sha256, write_json, write_table
from medpeft.pipeline.provenance import provenance, versions
from medpeft.pipeline.verify import doubts
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


def _doubts(run, asked=ASKED, here=None):
    return doubts(run, asked, here or versions(), sha256)


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


def test_what_is_as_it_was_raises_no_doubt(run):
    assert _doubts(run) == []


@pytest.mark.parametrize("path", ["data.npy", "code.py", "run/adapter.safetensors", "run/predictions.csv"])
def test_a_changed_file_is_named(run, path):
    file = run.parent / path
    file.write_bytes(file.read_bytes() + b"\n")
    assert [path in reason and "not as it was" in reason for reason in _doubts(run)] == [True]


def test_a_missing_file_is_named(run):
    (run.parent / "data.npy").unlink()
    assert _doubts(run) == ["data.npy is missing"]


def test_other_packages_and_other_settings_are_named(run):
    assert _doubts(run, here=versions() | {"torch": "0.1"})[0].endswith("and 0.1 is here")
    assert _doubts(run, ASKED | {"recipe": {"epochs": 2}}) == ["the study's recipe is another than when it ran"]
    assert _doubts(run, {"learning_rate": 0.2}) == ["the study's learning rate is another than when it ran"]


def test_scores_that_do_not_follow_from_predictions_are_told(run):
    scores = json.loads((run / "metrics.json").read_text())
    write_json(run / "metrics.json", scores | {"accuracy": 0.99})
    assert _doubts(run) == ["metrics.json does not follow from predictions.csv"]


@pytest.fixture
def generated(run):
    """The folder of a finished run that learned from what hashes.json lists, with two images that it generated."""
    folder = run.parent
    (folder / "unet").mkdir()
    (folder / "unet/config.json").write_text("{}")
    listed = ("data.npy", "unet/config.json")
    write_json(folder / "hashes.json", {"sha256": {name: sha256(folder / name) for name in listed}})
    record = read_json(run / "record.json")
    (run / "predictions.csv").unlink()
    record["provenance"] = provenance(STUDY, ["hashes.json"], [run / "adapter.safetensors"])
    write_json(run / "record.json", record)
    (run / "generated" / "test").mkdir(parents=True)
    files = [run / "generated" / "test" / name for name in ("0.png", "1.png")]
    for file in files:
        file.write_bytes(file.name.encode())
    prompts = pd.DataFrame({"file": [file.name for file in files], "sha256": list(map(sha256, files))})
    write_table(run / "generated" / "test.csv", prompts)
    return run


def test_generated_images_that_are_as_they_were_raise_no_doubt(generated):
    assert _doubts(generated) == []


@pytest.mark.parametrize("path", ["data.npy", "unet/config.json", "run/generated/test/1.png"])
def test_a_changed_file_of_a_list_is_named(generated, path):
    (generated.parent / path).write_bytes(b"other")
    assert [path in reason and "not as it was" in reason for reason in _doubts(generated)] == [True]
