"""`verify` follows results back to their sources: whatever was changed on the way is named."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from snakemake.iocontainers import Namedlist

from medpeft.base.files import read_json, sha256, write_json, write_table
from medpeft.pipeline import ledger
from medpeft.pipeline.packages import versions
from medpeft.pipeline.verify import Planned, doubts, doubts_of_scores, unlisted
from medpeft.statistics.evaluate import evaluate

FILES = (
    "data/images.npy",
    "code.py",
    "results/s/run/adapter.bin",
    "results/s/run/pictures/0.png",
    "results/s/table.csv",
)


@pytest.fixture(autouse=True)
def study(tmp_path, monkeypatch) -> Path:
    """A study of two jobs: a run learns from images, and a table is made of the run."""
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    _enter("finetune", "results/s/run/finetune.log", FILES[:2], ["results/s/run/adapter.bin", "results/s/run/pictures"])
    _enter("table", "results/s/logs/table.log", ["results/s/run/adapter.bin"], ["results/s/table.csv"])
    return tmp_path


def _enter(rule: str, log: str, inputs, outputs) -> None:
    params = Namedlist(fromdict={"recipe": {"epochs": 1}, "path": Path("x")})
    ledger.enter(
        SimpleNamespace(rule=rule, wildcards=Namedlist(), params=params, input=inputs, output=outputs, log=[log])
    )


def _planned(**changes) -> list[Planned]:
    files = {
        "results/s/run/adapter.bin": "results/s/run/finetune.log",
        "results/s/run/pictures": "results/s/run/finetune.log",
        "results/s/table.csv": "results/s/logs/table.log",
    }
    return [
        Planned(**({"file": file, "log": log, "status": "ok", "current": True} | changes))
        for file, log in files.items()
    ]


def _doubts(planned=None, here=None) -> dict[str, str]:
    return doubts(planned or _planned(), here or versions(), sha256)


def test_what_is_as_it_was_raises_no_doubt():
    assert _doubts() == {}


@pytest.mark.parametrize(
    "name", [*FILES, "results/s/provenance/run/finetune.json", "results/s/provenance/logs/table.json"]
)
def test_one_other_byte_anywhere_is_named(name):
    for at in (0, len(Path(name).read_bytes()) // 2, -1):
        content = bytearray(Path(name).read_bytes())
        content[at] ^= 1
        before = Path(name).read_bytes()
        Path(name).write_bytes(content)
        found = _doubts()
        assert found
        if "provenance" not in name:
            assert any(name in f"{file} {reason}" and "has changed" in reason for file, reason in found.items())
        Path(name).write_bytes(before)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_named(name):
    Path(name).unlink()
    assert any(
        name in f"{file} {reason}" and ("is gone" in reason or "is missing" in reason)
        for file, reason in _doubts().items()
    )


def test_what_snakemake_would_make_again_is_named_with_its_reason():
    found = _doubts(_planned(current=False, status="params changed"))
    assert set(found.values()) == {"is not what would be made now (params changed)"}
    assert len(found) == 3


def test_what_was_never_made_is_missing():
    planned = [Planned("results/s/other.csv", "", "missing", current=False)]
    assert _doubts(planned) == {"results/s/other.csv": "is missing"}


def test_what_snakemake_forgot_is_not_called_missing():
    assert all(reason.startswith("is not known to Snakemake") for reason in _doubts(_planned(log="")).values())


def test_what_was_made_of_a_forged_file_is_named_too():
    """Snakemake makes the table again of the adapter that was changed, and its entry then fits what it read."""
    Path("results/s/run/adapter.bin").write_text("forged")
    _enter("table", "results/s/logs/table.log", ["results/s/run/adapter.bin"], ["results/s/table.csv"])
    _enter("paper", "results/s/logs/paper.log", ["results/s/table.csv"], ["data/images.npy"])
    found = _doubts([*_planned(), Planned("data/images.npy", "results/s/logs/paper.log", "ok", current=True)])
    assert found["results/s/run/adapter.bin"] == "has changed since it was made"
    assert found["results/s/table.csv"].startswith("was made from results/s/run/adapter.bin")
    assert found["data/images.npy"].startswith("was made from results/s/table.csv")


def test_what_was_made_of_pictures_of_a_forged_file_is_named_too():
    """A job that wrote a folder is followed by each file in it."""
    Path("code.py").write_text("other")
    _enter("table", "results/s/logs/table.log", ["results/s/run/pictures/0.png"], ["results/s/table.csv"])
    assert _doubts()["results/s/table.csv"].startswith("was made from results/s/run/pictures")


def test_a_job_that_left_no_entry_is_doubted():
    ledger.place("results/s/logs/table.log").unlink()
    assert _doubts() == {"results/s/table.csv": "has no record of how it was made, or the record was changed"}


def test_other_packages_are_named():
    assert _doubts(here=versions() | {"torch": "0.1"})["results/s/table.csv"].endswith("and 0.1 is here")


def test_a_job_that_begins_again_forgets_what_it_left(tmp_path):
    job = SimpleNamespace(log=["results/s/logs/table.log"])
    ledger.begin(job)
    assert ledger.entry_of(job.log[0]) is None


def test_scores_that_do_not_follow_from_predictions_are_named(tmp_path):
    table = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1], "label": ["x", "y"]})
    predictions = table.assign(probability_x=[0.9, 0.2], probability_y=[0.1, 0.8])
    for name in ("predictions.csv", "validation_predictions.csv"):
        write_table(f"run/{name}", predictions)
    write_json("run/record.json", {"n_train": 4, "status": "ok"})
    write_json("run/metrics.json", evaluate(predictions, read_json("run/record.json"), predictions))
    assert doubts_of_scores([Path("run"), Path("none")]) == {}
    write_json("run/metrics.json", read_json("run/metrics.json") | {"accuracy": 0.99})
    assert list(doubts_of_scores([Path("run")])) == ["run/metrics.json"]
    write_json("run/metrics.json", evaluate(predictions, read_json("run/record.json"), predictions))
    write_table("run/validation_predictions.csv", predictions.assign(probability_x=[0.8, 0.2]))
    assert doubts_of_scores([Path("run")]) == {
        "run/metrics.json": "does not follow from predictions.csv and validation_predictions.csv"
    }


def test_what_no_check_covers_is_listed():
    Path("results/s/run/finetune.log").write_text("epoch 1")
    Path("results/s/run/pictures/1.png").write_text("slipped in")
    assert unlisted(Path("results/s"), _planned()) == {
        "files that no job of this study wrote": ["results/s/run/pictures/1.png"],
        "logs": ["results/s/run/finetune.log"],
    }
