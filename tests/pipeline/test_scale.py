"""The published study is planned in seconds, also with ten times the seeds, and a finished one is seen to be finished.

Times are those of the processor, so that they do not depend on what else the machine does.
"""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow


# Snakemake, which waits a tenth of a second before it touches the files of a job; here it need not.
SNAKEMAKE = """
import sys
from snakemake.cli import main
from snakemake.executors.touch import Executor
Executor.SLEEPING_TIME = 0
main(sys.argv[1:])
"""


def _snakemake(root: Path, folder: Path, *arguments: str) -> tuple[str, float]:
    """Return what Snakemake printed of the study in `folder`, and its seconds on the processor."""
    command = [sys.executable, "-c", SNAKEMAKE, "--snakefile", str(root / "Snakefile"), "--directory", str(folder)]
    command += ["--workflow-profile", str(root / "profiles/default"), "--configfile", str(folder / "study.yaml")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([*command, *arguments], cwd=root, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr, sum(after[:2]) - sum(before[:2])


def _write_study(root: Path, folder: Path, seeds: int) -> None:
    """Write the published study with `seeds` times its seeds."""
    study = yaml.safe_load((root / "studies/paper.yaml").read_text())
    for experiment in study["experiments"].values():
        for grid in experiment if isinstance(experiment, list) else [experiment]:
            grid["seeds"] = list(range(seeds * len(grid["seeds"])))
    (folder / "study.yaml").write_text(yaml.safe_dump(study))


@pytest.mark.parametrize(("seeds", "limit"), [(1, 20), pytest.param(10, 200, marks=pytest.mark.exhaustive)])
def test_the_published_study_is_planned_in_seconds(root, tmp_path, seeds, limit):
    _write_study(root, tmp_path, seeds)
    _, seconds = _snakemake(root, tmp_path, "--dry-run", "--quiet", "all")
    assert seconds < limit


def test_a_finished_study_of_hundreds_of_runs_is_seen_to_be_finished_in_seconds(root, tmp_path):
    _write_study(root, tmp_path, 1)
    summary, _ = _snakemake(root, tmp_path, "--summary")
    outputs = [line.split("\t")[0] for line in summary.splitlines() if line.startswith(("data/", "results/"))]
    assert sum(path.endswith("metrics.json") for path in outputs) > 600
    for path in map(tmp_path.joinpath, outputs):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir()
    _snakemake(root, tmp_path, "--touch", "--cores", "1", "--quiet", "all")
    printed, seconds = _snakemake(root, tmp_path, "--cores", "1")
    assert "Nothing to be done" in printed
    assert seconds < 15
