"""Studies out of the ordinary go through: names in any script, a home that cannot be written, runs that all fail."""

import copy
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from tiny import STUDY, command, make_project, snakemake

from medpeft.artefacts.markup import GAP
from medpeft.artefacts.registry import figures, tables
from medpeft.pipeline.study import Study

pytestmark = pytest.mark.slow

CLASSES = ["1. Eczema 1677", "(BCC)", "皮肤 $x"]
ODD = {
    "study": "tiny",
    "datasets": {"skin_皮": {"classes": CLASSES, "path": "mirror/skin", "title": "Skin, 皮肤"}},
    "image_size": 32,
    "recipe": {"epochs": 1, "validations": 1},
    "tuning": {"trials": 1, "low": 1e-3},
    "experiments": {
        "table2": {
            "datasets": ["skin_皮"],
            "backbones": ["efficientnet_lite0"],
            "methods": ["full", "linear_probe"],
            "fractions": [1],
            "seeds": [0],
        }
    },
}


def _write_images(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(90):
        level = 70 * (number % 3)
        path = folder / CLASSES[number % 3] / f"图 {number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(level, level + 100, (40, 40)).astype(np.uint8)).save(path)


def test_names_in_any_script_where_the_home_cannot_be_written(tmp_path):
    folder = make_project(tmp_path, ODD)
    _write_images(folder / "mirror/skin")
    homeless = os.environ | {"HOME": "/proc/nobody", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    result = subprocess.run(
        command("--cores", "2", "--quiet"), cwd=folder, env=homeless, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    results = folder / "results/tiny"
    card = (results / "cards/skin_皮.md").read_text()
    assert all(label in card for label in CLASSES)
    run = results / "runs/skin_皮/efficientnet_lite0/linear_probe/1/0"
    assert [f"probability_{label}" in pd.read_csv(run / "predictions.csv").columns for label in CLASSES] == [True] * 3
    said = [line for line in result.stderr.splitlines() if line.startswith("medpeft: No font on this machine")]
    fonts = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True, check=False).stdout
    assert said or fonts
    assert not said or "皮 (U+76AE), 肤 (U+80A4), as in '皮肤 $x'" in said[0]
    assert (results / "paper.pdf").stat().st_size


@pytest.fixture(scope="module")
def failed(tmp_path_factory) -> Path:
    """A copy of the project in which every run of the tiny study has failed."""
    study = copy.deepcopy(STUDY)
    study["tuning"] |= {"low": 1e37, "high": 3e38}
    study["generation"] |= {"learning_rate": 1e30, "learning_rates": {}}
    folder = make_project(tmp_path_factory.mktemp("project"), study)
    result = snakemake(folder, "--cores", "2", "--quiet")
    assert result.returncode == 0, result.stderr
    return folder


def test_where_every_run_fails_every_artefact_is_made(failed):
    results = failed / "results/tiny"
    runs = pd.read_csv(results / "runs.csv")
    assert runs["status"].str.startswith("failed: ").all()
    study = Study(yaml.safe_load((failed / "tiny.yaml").read_text()))
    kept = {name: made for name, made in (tables() | figures()).items() if not study.lacks(made)}
    assert {"pareto", "figure1", "table2", "table4", "tuning", "comparisons"} <= kept.keys()
    for name, made in kept.items():
        assert (results / f"{made.kind}s" / f"{name}.csv").stat().st_size, name
    assert (results / "paper.pdf").stat().st_size


def test_the_tables_of_a_failed_study_tell_how_many_runs_failed(failed):
    text = (failed / "results/tiny/tables/table2.md").read_text()
    assert f"| Full fine-tuning | {GAP}" in text
    assert "SSF on BUSI breast ultrasound, efficientnet\\_lite0: 1 of 1" in text
