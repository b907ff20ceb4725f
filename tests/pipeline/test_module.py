"""Other repositories run the pipeline: as a module at a path, and as snakedeploy writes it, from a server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import yaml

ROOT = Path(__file__).parents[2]
TABLE = tiny.STUDY["experiments"]["table2"] | {"methods": ["full"]}
STUDY = {key: tiny.STUDY[key] for key in ("study", "image_size", "recipe", "tuning")} | {
    "mirror": "mirror",
    "experiments": {"table2": TABLE},
}
MODULE = """
configfile: "study.yaml"
module medpeft:
    snakefile: "{snakefile}"
    config: config["medpeft"]
    {more}
use rule * from medpeft as medpeft_*
rule own:
    default_target: True
    input: "results/tiny/scores.csv"
    output: "own.csv"
    shell: "cp {{input}} {{output}}"
"""


def _snakemake(folder, *arguments, **environment):
    """Return the result of Snakemake in `folder`; what it says goes to `stdout` alone."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(command, cwd=folder, env=os.environ | environment, text=True, check=False, **streams)


@pytest.fixture
def folder(tmp_path):
    """The folder of another repository, with the archive of its study."""
    (tmp_path / "other" / "mirror").mkdir(parents=True)
    tiny._write_archive(tmp_path / "other" / "mirror" / "busi.zip")
    return tmp_path / "other"


def _write_module(folder, more="", snakefile=ROOT / "Snakefile", study=STUDY):
    (folder / "study.yaml").write_text(yaml.safe_dump({"medpeft": study, "of": "another"}, sort_keys=False))
    (folder / "workflow").mkdir()
    (folder / "workflow" / "Snakefile").write_text(MODULE.format(snakefile=snakefile, more=more))


@pytest.mark.slow
def test_a_module_runs_a_study_that_the_other_repository_configures(folder):
    _write_module(folder)
    result = _snakemake(folder)
    assert result.returncode == 0, result.stdout
    assert "efficientnet_lite0" in (folder / "own.csv").read_text()
    assert "Nothing to be done" in _snakemake(folder, "--dry-run").stdout


def test_a_module_has_the_targets_of_the_pipeline(folder):
    _write_module(folder)
    targets = ["medpeft_verify", "medpeft_paper", "medpeft_cards", "medpeft_table2", "medpeft_all"]
    result = _snakemake(folder, "--dry-run", *targets)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("more", ['prefix: "there"', 'replace_prefix: {"results/": "there/"}'])
def test_a_prefix_that_would_hide_files_is_refused_in_a_sentence(folder, more):
    _write_module(folder, more)
    result = _snakemake(folder, "--dry-run")
    assert result.returncode == 1
    assert "medpeft: its module has a prefix" in result.stdout


@pytest.mark.parametrize("study", [{}, STUDY | {"imagesize": 32}, {"study": "tiny"}])
def test_a_wrong_study_of_another_repository_is_refused_in_a_sentence(folder, study):
    _write_module(folder, study=study)
    result = _snakemake(folder, "--dry-run")
    assert result.returncode == 1
    assert "medpeft: the study's configuration is wrong" in result.stdout
    assert "Traceback" not in result.stdout


def _publish(server, name):
    """Make a repository of the project's files under `server`, with the tag v9.9.9; return its commit."""
    project = server / name
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    kept = [path for path in listed if path and not path.startswith(("tests/", "docs/", "benchmarks/"))]
    if not kept:
        pytest.skip("not a checkout: what a release holds is not known")
    for path in kept:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, project / path, follow_symlinks=False)
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for command in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "-m", "all"], ["tag", "v9.9.9"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True)
    return found.stdout.strip()


@pytest.mark.slow
def test_what_snakedeploy_writes_runs_a_study(folder, tmp_path):
    pytest.importorskip("snakedeploy", reason="snakedeploy is not installed: make .venv/installed-dev")
    commit = _publish(tmp_path / "server", "somebody/medpeft")
    # For git the server is a folder: snakedeploy and Snakemake clone from it what they would from the server.
    environment = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{tmp_path}/server/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    deploy = "from snakedeploy.client import main; main()"
    address = "https://github.com/somebody/medpeft"
    subprocess.run(
        [sys.executable, "-c", deploy, "deploy-workflow", address, ".", "--tag", "v9.9.9"],
        cwd=folder,
        env=os.environ | environment,
        check=True,
        capture_output=True,
    )
    assert (folder / "config" / "config.yaml").read_bytes() == (ROOT / "config.yaml").read_bytes()
    assert (folder / "profiles" / "default" / "profile.yaml").exists()
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    run = Path("results/tiny/runs/busi/efficientnet_lite0/full/0.1/0")
    result = _snakemake(folder, str(run / "metrics.json"), **environment)
    assert result.returncode == 0, result.stdout
    found = json.loads((folder / run / "record.json").read_text())["provenance"]
    assert found["commit"] == commit
    assert any(path.startswith(".snakemake/medpeft/scripts/medpeft/") for path in found["inputs"])
