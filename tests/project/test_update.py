"""`make update` bumps every pin wherever it stands, and says which numbers differ."""

import json
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UPDATE = runpy.run_path(str(ROOT / "envs" / "update.py"))
differences, lowest, pins, report, scores, with_versions = (
    UPDATE[name] for name in ("differences", "lowest", "pins", "report", "scores", "with_versions")
)
BEFORE = {
    ("busi/vit/lora/1/0", "status"): "ok",
    ("busi/vit/lora/1/0", "f1_micro"): 0.75,
    ("busi/vit/lora/1/0", "auroc"): 0.9,
    ("busi/vit/full/1/0", "status"): "ok",
    ("busi/vit/full/1/0", "f1_micro"): 0.5,
}


def _table(lines):
    return [line for line in lines if line.startswith("| ")]


def test_equal_numbers_are_said_to_be_equal():
    assert differences(BEFORE, dict(BEFORE)) == ["3 of 3 scores are the same to the last bit."]


def test_the_last_bit_counts():
    after = BEFORE | {("busi/vit/lora/1/0", "auroc"): 0.9000000000000001}
    lines = differences(BEFORE, after)
    assert lines[0] == "2 of 3 scores are the same to the last bit."
    assert _table(lines)[-1] == "| auroc | 1 | 1.11e-16 | busi/vit/lora/1/0 |"


def test_the_largest_difference_of_a_metric_and_its_run_are_named():
    after = BEFORE | {("busi/vit/lora/1/0", "f1_micro"): 0.76, ("busi/vit/full/1/0", "f1_micro"): 0.25}
    assert _table(differences(BEFORE, after))[2:] == ["| f1_micro | 2 | 0.25 | busi/vit/full/1/0 |"]


@pytest.mark.parametrize("gone", [("busi/vit/lora/1/0", "auroc"), ("busi/vit/full/1/0", "f1_micro")])
def test_scores_of_one_side_are_named(gone):
    less = {key: value for key, value in BEFORE.items() if key != gone}
    assert f"1 scores are there only before: {' '.join(gone)}." in differences(BEFORE, less)
    assert f"1 scores are there only after: {' '.join(gone)}." in differences(less, BEFORE)


def test_a_run_that_fails_now_is_named():
    after = BEFORE | {("busi/vit/full/1/0", "status"): "diverged"}
    assert "1 runs have a different outcome: busi/vit/full/1/0 (ok, now diverged)." in differences(BEFORE, after)


def test_no_results_are_no_agreement():
    assert differences(BEFORE, {})[0] == "0 of 0 scores are the same to the last bit."
    assert "5 scores are there only before" in differences(BEFORE, {})[1]


def test_scores_are_read_from_runs_of_both_kinds(tmp_path):
    written = {
        "busi/vit/lora/1/0": {"f1_micro": 0.75, "n_test": 119, "status": "ok"},
        "busi/mini/full/1/0": {"fid": 212.5, "kid": float("nan"), "features": 1280, "status": "ok"},
    }
    for run, metrics in written.items():
        path = tmp_path / "runs" / run / "metrics.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(metrics))
    assert scores(tmp_path) == {
        ("busi/mini/full/1/0", "fid"): 212.5,
        ("busi/mini/full/1/0", "status"): "ok",
        ("busi/vit/lora/1/0", "f1_micro"): 0.75,
        ("busi/vit/lora/1/0", "status"): "ok",
    }


def test_the_lowest_of_several_versions_fits_all_pythons():
    lock = "numpy==2.10.0 ; python_full_version < '3.12'\nnumpy==2.9.1 ; python_full_version >= '3.12'\n"
    assert lowest(lock) == {"numpy": "2.9.1"}
    assert lowest("scikit_Image==0.26.0\n") == {"scikit-image": "0.26.0"}


@pytest.mark.parametrize(
    ("text", "bumped"),
    [
        ("torch==2.14.1\ntorchvision==0.29.1\n", "torch==2.15.0\ntorchvision==0.30.0\n"),
        ("      - torch==2.14.1\n", "      - torch==2.15.0\n"),
        ("pip install torch==2.14.1.", "pip install torch==2.15.0."),
        ("numpy==1.0 # torch 2.14.1", "numpy==1.0 # torch 2.14.1"),
        ("torch==2.0.0 was slower", "torch==2.0.0 was slower"),
        ("my-torch==2.14.1", "my-torch==2.14.1"),
    ],
)
def test_pins_are_bumped_where_they_stand_and_nothing_else_is(text, bumped):
    old = {"torch": "2.14.1", "torchvision": "0.29.1"}
    assert with_versions(text, old, {"torch": "2.15.0", "torchvision": "0.30.0"}) == bumped


def test_every_pin_of_the_project_is_bumped():
    texts = {name: (ROOT / name).read_text() for name in UPDATE["ASKED"]}
    texts |= {path.name: path.read_text() for path in (ROOT / "envs").glob("*.yaml")}
    old = {name: version for asked in UPDATE["ASKED"] for name, version in pins(texts[asked]).items()}
    new = {UPDATE["normal"](name): "99.0" for name in old}
    for text in texts.values():
        bumped = with_versions(text, old, new)
        assert set(pins(bumped).values()) == {"99.0"}
        assert set(pins(bumped)) == set(pins(text))


@pytest.mark.parametrize(("passed", "said"), [(True, "All tests pass."), (False, "Tests fail")])
def test_a_report_has_packages_numbers_and_tests(passed, said):
    text = report(
        {"torch": "2.14.1", "pillow": "13.0.0"}, {"torch": "2.15.0", "pillow": "13.0.0"}, ["Two differ."], passed
    )
    assert "| torch | 2.14.1 | 2.15.0 |" in text
    assert "pillow" not in text
    assert "Two differ." in text and said in text
    assert "No package has a newer version." in report({"torch": "1"}, {"torch": "1"}, [], passed)


def test_files_with_changes_are_not_edited(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    monkeypatch.setitem(UPDATE["refuse_changes"].__globals__, "ROOT", tmp_path)
    UPDATE["refuse_changes"]([tmp_path / "requirements.txt"])
    (tmp_path / "requirements.txt").write_text("torch==2.14.1\n")
    with pytest.raises(SystemExit, match=r"update: it edits files that have changes[^\n]+\n.. requirements.txt"):
        UPDATE["refuse_changes"]([tmp_path / "requirements.txt"])
