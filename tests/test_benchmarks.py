"""The benchmark against other tools: all contenders report alike, what was measured is kept, a fall is told."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from tiny import make_project

import benchmark
import inputs
import plain
import processes
from comparison import Comparison, comparisons, measure
from inputs import Material
from medpeft.base.errors import UserError
from medpeft.base.files import read_json, read_table
from medpeft.methods import registry
from medpeft.networks.models import create
from medpeft.pipeline.study import Study
from medpeft.training.loop import parameter_groups
from record import CLOCKS, Record, summary
from report import falls

ROOT = Path(__file__).parents[1]

TINY = {
    "study": "tiny",
    "image_size": 32,
    "recipe": {"epochs": 2, "min_steps": 16, "validations": 1, "batch_size": 16},
    "tuning": {"trials": 1, "fraction": 0.05, "epochs": 1},
    "experiments": {
        "figure1": {
            "datasets": ["busi"],
            "backbones": ["efficientnet_lite0"],
            "methods": ["full"],
            "fractions": [0.1],
            "seeds": [0],
        }
    },
    "generation": {"image_size": 32, "batch_size": 4},
}
MEASURED = {"date", "seconds", "cpu_seconds", "train_seconds", "memory_bytes", "images", "runs"}


def _measurement(seconds: float, scores: list[float]) -> dict:
    runs = {str(place): {"scores": {"f1_micro": score}} for place, score in enumerate(scores)}
    return dict.fromkeys(CLOCKS, seconds) | {"memory_bytes": 2**20, "images": 100, "runs": runs}


def _entry(pairs: list[tuple[float, float]], baseline: float | None = None, scores=((0.7, 0.8), (0.71, 0.79))) -> dict:
    """Return a recorded comparison: seconds of the pipeline and of the other in each repeat."""
    mine, theirs = scores
    return {
        "title": "a sweep",
        "other": "plain",
        "clock": "seconds",
        "score": "f1_micro",
        "count": len(mine),
        "baseline": baseline and {"ratio": baseline, "commit": "abc"},
        "repeats": [{"pipeline": _measurement(a, mine), "plain": _measurement(b, theirs)} for a, b in pairs],
    }


def _comparison(name: str = "sweep") -> Comparison:
    return Comparison(name, "a sweep", None, "plain", [])


def test_the_ratio_is_that_of_the_medians():
    found = summary(_entry([(10, 20), (30, 40), (11, 33)]))
    assert found["ratio"] == 33 / 11
    assert found["ratios"] == [2, 40 / 30, 3]


def test_a_repeat_that_lacks_a_contender_does_not_count():
    entry = _entry([(10, 20), (10, 40)])
    del entry["repeats"][1]["plain"]
    assert summary(entry)["ratio"] == 2
    del entry["repeats"][0]["plain"]
    assert summary(entry) is None


@pytest.mark.parametrize(("seconds", "fallen"), [(15.9, True), (16.1, False), (40, False)])
def test_a_ratio_below_four_fifths_of_the_recorded_one_is_told(seconds, fallen):
    content = {"comparisons": {"sweep": _entry([(10, seconds)], baseline=2.0)}}
    sentences = falls(content)
    assert bool(sentences) == fallen
    if fallen:
        assert sentences == [
            "a sweep: PyTorch script takes 1.59 times as long as the pipeline where it took 2.00 times as long at "
            "commit abc"
        ]


def test_scores_that_differ_by_more_than_noise_do_not_count():
    mine = np.linspace(0.6, 0.8, 9)
    noise = np.tile([-0.02, 0.0, 0.02], 3)
    alike = _entry([(10, 10)], 2.0, (mine, mine + noise + 0.005))
    other = _entry([(10, 10)], 2.0, (mine, mine + noise + 0.05))
    assert (summary(alike)["equal"], summary(alike)["fallen"]) == (True, True)
    assert (summary(other)["equal"], summary(other)["fallen"]) == (False, False)


def test_a_killed_session_goes_on_and_a_finished_one_becomes_the_baseline(tmp_path):
    path, comparison, origin = tmp_path / "machine.json", _comparison(), {"commit": "first"}
    record = Record(path)
    forgotten = []
    record.begin(["sweep"], 1, "code", origin, lambda: forgotten.append("first"))
    record.add(comparison, 0, "pipeline", _measurement(10, [0.7, 0.8]))
    again = Record(path)
    again.begin(["sweep"], 1, "code", origin, lambda: forgotten.append("again"))
    assert [again.lacks(comparison, 0, name) for name in ("pipeline", "plain")] == [False, True]
    again.add(comparison, 0, "plain", _measurement(30, [0.7, 0.8]))
    last = Record(path)
    last.begin(["sweep"], 1, "code", {"commit": "second"}, lambda: forgotten.append("last"))
    assert forgotten == ["first", "last"]
    assert last.lacks(comparison, 0, "pipeline")
    assert read_json(path)["comparisons"]["sweep"]["baseline"] == {"ratio": 3.0, "commit": "first"}


@pytest.mark.parametrize(("repeats", "baseline"), [(1, {"ratio": 4.0, "commit": "fast"}), (3, None)])
def test_other_code_begins_anew_and_a_fall_or_an_unfinished_session_is_no_baseline(tmp_path, repeats, baseline):
    record, comparison = Record(tmp_path / "machine.json"), _comparison()
    for commit, seconds in (("fast", 40), ("slow", 20), ("other", 39)):
        record.begin(["sweep"], repeats, commit, {"commit": commit}, lambda: None)
        assert record.lacks(comparison, 0, "plain")
        record.add(comparison, 0, "pipeline", _measurement(10, [0.7, 0.8]))
        record.add(comparison, 0, "plain", _measurement(seconds, [0.7, 0.8]))
    assert record.content["comparisons"]["sweep"]["baseline"] == baseline


def test_contenders_take_turns():
    assert [_comparison().order(repeat) for repeat in range(3)] == [
        ["pipeline", "plain"],
        ["plain", "pipeline"],
        ["pipeline", "plain"],
    ]


def test_what_fails_is_named_with_its_log(tmp_path):
    with pytest.raises(UserError, match=r"status 3: .*log\.txt says why"):
        processes.timed([sys.executable, "-c", "print('lost'); exit(3)"], tmp_path / "log.txt", 1)
    assert (tmp_path / "log.txt").read_text() == "lost\n"


def test_processes_that_are_left_behind_are_ended_and_counted(tmp_path):
    processes.adopt_orphans()
    left = "x = b'1' * 1_000_000_000; print('there', flush=True); import time; time.sleep(600)"
    leaver = (
        f"from subprocess import *; import sys; Popen([sys.executable, '-c', {left!r}], stdout=PIPE).stdout.readline()"
    )
    started = time.monotonic()
    cost = processes.timed([sys.executable, "-c", leaver], tmp_path / "log.txt", 1)
    assert time.monotonic() - started < 60
    assert cost.memory_bytes > 1.0e9


def test_memory_and_processor_are_those_of_children_too(tmp_path):
    """Measured in a small process, as the benchmark is: Linux counts a parent's memory until its child has begun."""
    inner = "x = b'1' * 1_000_000_000"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    asking = "import sys; from pathlib import Path; from processes import timed; "
    asking += "print(*timed([sys.executable, '-c', sys.argv[1]], Path(sys.argv[2]), 1))"
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT / "scripts")])}
    command = [sys.executable, "-c", asking, outer, str(tmp_path / "log.txt")]
    found = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, check=True)
    _, processor, memory = map(float, found.stdout.split())
    assert 1.0e9 < memory < 1.1e9
    assert processor > 0.1


@pytest.mark.parametrize("name", ["embedded", "busi"])
def test_the_studies_are_sweeps_of_those_of_the_project(name):
    ours = yaml.safe_load((ROOT / f"benchmarks/{name}.yaml").read_text())
    theirs = yaml.safe_load((ROOT / {"embedded": "config.yaml", "busi": "studies/busi.yaml"}[name]).read_text())
    for grid, whole in zip(ours["experiments"]["figure1"], theirs["experiments"]["figure1"], strict=True):
        assert grid == whole if name == "embedded" else all(set(grid[axis]) <= set(whole[axis]) for axis in whole)
    assert all(ours[key] == theirs[key] for key in ("study", "image_size", "recipe", "tuning"))
    ours, theirs = Study(ours), Study(theirs)
    assert ours.generated_size == theirs.generated_size
    for method in inputs.UNET_METHODS:
        assert name == "busi" or ours.unet_learning_rate(method) == theirs.unet_learning_rate(method)


def test_all_that_is_lacking_is_measured_and_reported_and_a_fall_ends_in_a_sentence(tmp_path, monkeypatch, capsys):
    forgotten, measured = [], []
    material = SimpleNamespace(
        study=SimpleNamespace(name="tiny"), prepare=lambda: {"arrays": 7.0}, forget=lambda: forgotten.append(True)
    )
    compared = [Comparison(name, "a sweep", material, "plain", ["first", "second"]) for name in ("all", "some")]
    seconds = {"pipeline": 10.0, "plain": 40.0}

    def fake(comparison, contender, runs):
        measured.append((comparison.name, contender, len(runs)))
        return _measurement(seconds[contender], [0.7, 0.8])

    monkeypatch.setattr(benchmark, "comparisons", lambda _: compared)
    monkeypatch.setattr(benchmark, "measure", fake)
    benchmark.run([material], 2, tmp_path)
    turns = ["pipeline", "plain"], ["plain", "pipeline"]
    expected = [(name, contender, 2) for turn in turns for name in ("all", "some") for contender in turn]
    assert [found for found in measured if found[2] == 2] == expected
    assert "| a sweep | 2 | 2 | PyTorch script | 40.0 s |" in capsys.readouterr().out
    assert forgotten == [True]
    (path,) = tmp_path.glob("*.json")
    assert all(path.with_suffix(kind).stat().st_size for kind in (".csv", ".md", ".png", ".pdf"))
    seconds["plain"] = 20.0
    with pytest.raises(
        UserError, match=r"2\.00 times as long as the pipeline where it took 4\.00 .*: find out why, or"
    ):
        benchmark.run([material], 1, tmp_path)


def test_what_was_made_is_forgotten_and_what_was_fetched_is_not(tmp_path):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(TINY))
    names = ["data/raw", "data/weights", "data/prepared", "data/splits", "data/encoded", "results/tiny", "images"]
    for name in names:
        (tmp_path / "work" / name).mkdir(parents=True)
    Material(tmp_path / "study.yaml", tmp_path / "work").forget()
    assert [name for name in names if (tmp_path / "work" / name).exists()] == ["data/raw", "data/weights", "images"]


@pytest.mark.parametrize("method", ["full", "ssf", "tsa", "bias"])
def test_the_same_weights_decay_for_all_contenders(lite0, method):
    model = create("efficientnet_lite0", 3, lite0, registry.load(method), seed=0)
    theirs = plain.adamw(model, {"recipe": {"weight_decay": 0.1}, "learning_rate": 1e-3}).param_groups
    ours = parameter_groups(model, 0.1)
    for mine, other in zip(ours, theirs, strict=True):
        assert {id(p) for p in mine["params"]} == {id(p) for p in other["params"]}
        assert mine["weight_decay"] == other["weight_decay"]


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Material:
    """A study of seconds, prepared, on an archive laid out as the public one."""
    folder = make_project(tmp_path_factory.mktemp("benchmark"))
    (folder / "study.yaml").write_text(yaml.safe_dump(TINY))
    material = Material(folder / "study.yaml", folder / "work", folder / "mirror")
    assert material.prepare().keys() == {inputs.ARRAYS, inputs.LATENTS}
    return material


@pytest.mark.exhaustive
def test_all_contenders_do_one_run_and_report_alike(material, monkeypatch):
    monkeypatch.setattr(inputs, "UNET_SEEDS", [0])
    monkeypatch.setattr(inputs, "UNET_METHODS", ["lora"])
    monkeypatch.setattr(inputs, "STEPS", 2)
    monkeypatch.setattr(inputs, "WARMUP_STEPS", 1)
    sweep, trainer, lora = comparisons(material)
    contenders = ((sweep, "pipeline"), (sweep, "plain"), (trainer, "trainer"), (lora, "pipeline"), (lora, "diffusers"))
    for comparison, contender in contenders:
        found = measure(comparison, contender, comparison.runs)
        assert found.keys() == MEASURED
        assert found["images"] == (2 * 4 if comparison is lora else 4 * 59)
        (run,) = found["runs"].values()
        scores = {"loss"} if comparison is lora else {"accuracy", "f1_micro", "f1_macro"}
        assert run["scores"].keys() == scores
        numbers = [*run["scores"].values(), *(run["train_seconds"], *(found[clock] for clock in CLOCKS))]
        assert np.isfinite(numbers).all() and min(numbers) > 0


@pytest.mark.slow
def test_images_are_those_of_the_split(material):
    (run,) = material.runs
    job = material.job(run)
    split = read_table(material.work / "data/splits/busi/tiny/split.csv")
    for part in ("validation", "test"):
        assert len(job["images"][part]) == (split["split"] == part).sum()
    paths = [path for rows in job["images"].values() for path, _ in rows]
    assert len(paths) == len(set(paths)) and all(Path(path).is_file() for path in paths)
    classes = {path.split("/")[-2]: label for path, label in job["images"]["test"]}
    assert classes == {"benign": 0, "malignant": 1, "normal": 2}
    subset = read_table(material.work / "data/splits/busi/tiny/subset-0.csv")
    assert len(job["images"]["train"]) == (subset["share"] < 0.1).sum()
