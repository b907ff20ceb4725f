"""What a run leaves beside its adapter, of a classifier and of a U-Net alike."""

from dataclasses import replace

import pandas as pd
import pytest

from medpeft.base.files import read_json, read_table, sha256
from medpeft.data.labels import Labels
from medpeft.pipeline.record import Request, write_run
from medpeft.training.outcome import Outcome

KEYS = {"asked", "study", "method", "task", "n_train", "cost", "device", "provenance", "status"}
HISTORY = pd.DataFrame({"epoch": [1], "train_loss": [0.5]})
PREDICTIONS = pd.DataFrame({"image_id": ["007"], "cluster": [0], "label": ["x"], "probability_x": [1.0]})


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.npy").write_bytes(b"data")
    (tmp_path / "adapter.safetensors").write_bytes(b"adapter")
    return {"adapter": "adapter.safetensors", "history": "history.csv", "record": "record.json"}


def _request(task):
    asked = {"method": "lora", "recipe": {"device": "cpu"}, "learning_rate": 0.1}
    return Request(task, asked, {"study": "s"}, {"study": "s", "mirror": "here"}, ["data.npy"])


def test_a_classifier_leaves_predictions_and_a_record_of_all_files(outputs):
    outputs |= {name: f"{name}.csv" for name in ("predictions", "validation_predictions")}
    seconds = {"train_seconds": 1.0}
    outcome = Outcome(4, HISTORY, seconds, predictions=PREDICTIONS, validation_predictions=PREDICTIONS.iloc[:0])
    write_run(outputs, _request("classification"), outcome)
    record = read_json("record.json")
    assert record.keys() == KEYS
    assert (record["task"], record["n_train"], record["device"], record["status"]) == ("classification", 4, "cpu", "ok")
    assert record["method"]["family"] == "additive"
    assert record["provenance"]["inputs"] == {"data.npy": sha256("data.npy")}
    names = ("adapter.safetensors", "history.csv", "predictions.csv", "validation_predictions.csv")
    assert record["provenance"]["outputs"] == {name: sha256(name) for name in names}
    assert list(read_table("predictions.csv")["image_id"]) == ["007"]


def test_a_record_names_the_kind_of_labels_and_the_order_of_their_classes(outputs):
    request = replace(_request("classification"), labels=Labels("ordinal", ("mild", "grave")))
    write_run(outputs, request, Outcome(4, HISTORY, {}))
    assert read_json("record.json")["labels"] == {"task": "ordinal", "classes": ["mild", "grave"], "positive": None}


def test_a_unet_leaves_the_same_record_without_predictions(outputs, tmp_path):
    write_run(outputs, _request("text-to-image"), Outcome(4, HISTORY, {}, "failed: out of memory"))
    record = read_json("record.json")
    assert record.keys() == KEYS
    assert record["provenance"]["outputs"].keys() == {"adapter.safetensors", "history.csv"}
    assert record["status"] == "failed: out of memory"
    assert not (tmp_path / "predictions.csv").exists()
