"""A study on a SLURM of this machine, started for it, ends as it does without one, whatever befalls its jobs."""

import shutil
import subprocess
import time
from pathlib import Path

import cluster
import pytest
from cluster import Cluster
from tiny import STUDY, command, make_project, results, snakemake

TARGET = "results/tiny/runs.csv"
GRID = {"datasets": ["busi"], "fractions": [0.1], "seeds": [0]}
# Its two runs of classification are long enough to be caught in the middle, with a checkpoint behind them.
LONGER = STUDY | {
    "recipe": {"epochs": 200, "validations": 2, "batch_size": 16},
    "tuning": {"trials": 2, "epochs": 1, "fraction": 0.05, "low": 1e-3},
    "experiments": {
        "table2": GRID | {"backbones": ["efficientnet_lite0"], "methods": ["full", "ssf"]},
        "table4": GRID | {"backbones": ["tiny_diffusion"], "methods": ["lora"]},
    },
}
RUN, UNET_RUN = "evaluate_finetune", "fidelity_finetune_unet_generate"  # what their jobs are called
# As a user starts it, but for a site without accounting, with GPUs that are none, and impatient.
PROFILE = (
    *("--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue"),
    *("--set-resources", "finetune:runs=1", "finetune:gpu=1", "tune:gpu=1", "finetune_unet:gpu=1"),
    *("--slurm-init-seconds-before-status-checks", "3", "--seconds-between-status-checks", "3"),
)

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(cluster.lacking() is not None, reason=str(cluster.lacking())),
]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The study, run on this machine, of a project that saves epochs more often."""
    folder = make_project(tmp_path_factory.mktemp("local"), LONGER)
    module = folder / "scripts/medpeft/training.py"
    module.write_text(module.read_text().replace("CHECKPOINT_SECONDS = 10", "CHECKPOINT_SECONDS = 0"))
    result = snakemake(folder, "--cores", "2", "--quiet", "--", TARGET)
    assert result.returncode == 0, result.stderr
    return folder


class _Watch:
    """The jobs of a study while it runs."""

    def __init__(self, slurm: Cluster, process: subprocess.Popen):
        self.slurm, self.process = slurm, process

    def until(self, condition, seconds: int = 300):
        """Return what `condition(jobs)` gives as soon as that is true."""
        deadline = time.monotonic() + seconds
        while not (found := condition(self.slurm.jobs())):
            assert self.process.poll() is None, "Snakemake has ended"
            assert time.monotonic() < deadline, self.slurm.jobs()
            time.sleep(0.5)
        return found


def _resumable(folder: Path, jobs: list[dict]) -> list[str]:
    """Return the numbers of the jobs of both runs while both run and have saved an epoch."""
    saved = list(folder.glob("results/tiny/runs/busi/efficientnet_lite0/**/.*.unfinished"))
    running = [job["id"] for job in jobs if RUN in job["comment"] and job["state"] == "RUNNING"]
    return running if len(running) == len(saved) == 2 else []


def _states(jobs: list[dict]) -> dict[str, str]:
    return {job["id"]: job["state"] for job in jobs}


def _strike(slurm: Cluster, watch: _Watch, folder: Path) -> tuple[str, str]:
    """Cancel one run, let another hang until its time is over, drain the node for a while; return their jobs."""
    cancelled, limited = watch.until(lambda jobs: _resumable(folder, jobs))
    slurm.call("scancel", "--signal=STOP", limited)
    slurm.call("scancel", cancelled)
    slurm.call("scontrol", "update", f"JobId={limited}", "EndTime=now")
    watch.until(lambda jobs: _states(jobs)[limited] == "TIMEOUT")
    slurm.call("scontrol", "update", f"NodeName={slurm.node}", "State=drain", "Reason=test")
    watch.until(lambda jobs: not {"RUNNING", "COMPLETING"} & set(_states(jobs).values()))
    slurm.call("scontrol", "update", f"NodeName={slurm.node}", "State=resume")
    return cancelled, limited


def test_a_study_survives_cancellation_a_time_limit_and_a_drained_node(local, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(local, folder)
    shutil.rmtree(folder / "results")  # data and what was encoded stay
    with Cluster() as slurm, open(folder / "out", "w") as out:
        process = subprocess.Popen(
            command(*PROFILE, "--", TARGET), cwd=folder, env=slurm.environment, stdout=out, stderr=out
        )
        try:
            cancelled, limited = _strike(slurm, _Watch(slurm, process), folder)
            status = process.wait(600)
        finally:
            process.kill()
            process.wait()
        jobs = slurm.jobs()
    assert status == 0, (folder / "out").read_text()[-3000:]
    states = _states(jobs)
    assert (states.pop(cancelled), states.pop(limited)) == ("CANCELLED", "TIMEOUT")
    assert set(states.values()) == {"COMPLETED"}
    scores = ("metrics.json", "predictions.csv", "test.csv")
    assert results(folder, *scores) == results(local, *scores)
    # The searches were tasks of one array; each run was a job that made its scores as well, and two were done again.
    tasks = [job["id"] for job in jobs if job["comment"].startswith("rule_tune")]
    assert len(tasks) == 2
    assert len({task.partition("_")[0] for task in tasks}) == 1
    assert [sum(name in job["comment"] for job in jobs) for name in (RUN, UNET_RUN)] == [2 + 2, 1]
    assert not any(job["comment"].startswith(("rule_evaluate", "rule_generate", "rule_fidelity")) for job in jobs)
