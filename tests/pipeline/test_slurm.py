"""A study on a SLURM of this machine, started for it, ends as it does without one, whatever happens to its jobs."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import cluster
import pytest
from cluster import Cluster
from tiny import STUDY, command, make_project, results, snakemake

TARGET = "results/tiny/runs.csv"
GRID = {"datasets": ["busi"], "fractions": [0.1], "seeds": [0]}
SMALL = STUDY | {
    "recipe": {"epochs": 4, "validations": 2, "batch_size": 16},
    "tuning": {"trials": 2, "epochs": 1, "fraction": 0.05, "low": 1e-3},
    "experiments": {
        "table2": GRID | {"backbones": ["efficientnet_lite0"], "methods": ["full", "ssf"]},
        "table4": GRID | {"backbones": ["tiny_diffusion"], "methods": ["lora"]},
    },
}
RUN, UNET_RUN = "evaluate_finetune", "fidelity_finetune_unet_generate"  # what their jobs are called
PATIENCE = 900  # seconds after which the test gives up, on a machine that is very slow
# As a user starts it, but for a site without accounting, with GPUs that are none.
PROFILE = (
    *("--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue"),
    *("--set-resources", "finetune:runs=1", "finetune:gpu=1", "tune:gpu=1", "finetune_unet:gpu=1"),
    *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
)
# Snakemake that asks for the state of its jobs every second. By itself the plugin waits ten seconds longer after each
# time that it saw none succeed, and would sleep through most of the test.
IMPATIENT = """
from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor
Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
main()
"""
# A run saves each epoch and then waits for as long as there is a file of this name: however fast or slow the machine
# is, it is caught in the middle.
HOLD = "hold"
HELD_RUN = f"""
    def _save(self, checkpoint):
        self._write(checkpoint)
        while Path("{HOLD}").exists():
            time.sleep(0.1)

    def _write("""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(cluster.lacking() is not None, reason=str(cluster.lacking())),
]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The study, run on this machine, of a project whose runs of classification can be held."""
    folder = make_project(tmp_path_factory.mktemp("local"), SMALL)
    module = folder / "scripts/medpeft/training/loop.py"
    text = module.read_text()
    for old, new in (("CHECKPOINT_SECONDS = 10", "CHECKPOINT_SECONDS = 0"), ("\n    def _save(", HELD_RUN)):
        assert text.count(old) == 1
        text = text.replace(old, new)
    module.write_text(text)
    result = snakemake(folder, "--cores", "2", "--quiet", "--", TARGET)
    assert result.returncode == 0, result.stderr
    return folder


class _Watch:
    """The jobs of a study while it runs."""

    def __init__(self, slurm: Cluster, process: subprocess.Popen, output: Path):
        self.slurm, self.process, self.output = slurm, process, output

    def until(self, condition):
        """Return what `condition(jobs)` gives as soon as that is true."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition(self.slurm.jobs())):
            assert self.process.poll() is None, self.output.read_text()[-3000:]
            assert time.monotonic() < deadline, "\n".join(map(str, self.slurm.jobs()))
            time.sleep(0.5)
        return found


def _runs(jobs: list[dict], state: str) -> list[str]:
    """Return the numbers of the jobs of runs of classification that are in this state."""
    return [job["id"] for job in jobs if RUN in job["comment"] and job["state"] == state]


def _held(folder: Path, jobs: list[dict]) -> list[str]:
    """Return the numbers of the jobs of both runs when both have saved an epoch."""
    saved = list(folder.glob("results/tiny/runs/busi/efficientnet_lite0/**/.*.unfinished"))
    running = _runs(jobs, "RUNNING")
    return running if len(running) == len(saved) == 2 else []


def _strike(slurm: Cluster, watch: _Watch, folder: Path) -> tuple[str, str]:
    """Drain the node, cancel one run, let the other's time be over; resume the node when both are queued again."""
    cancelled, limited = watch.until(lambda jobs: _held(folder, jobs))
    slurm.call("scontrol", "update", f"NodeName={slurm.node}", "State=drain", "Reason=test")
    slurm.call("scontrol", "update", f"JobId={limited}", "EndTime=now")
    slurm.call("scancel", cancelled)
    watch.until(lambda jobs: len(_runs(jobs, "PENDING")) == 2)
    (folder / HOLD).unlink()
    slurm.call("scontrol", "update", f"NodeName={slurm.node}", "State=resume")
    return cancelled, limited


def test_a_study_survives_cancellation_a_time_limit_and_a_drained_node(local, tmp_path):
    folder = tmp_path / "project"
    # Data and what was encoded come along, but no results, and nothing of the processes that made them.
    shutil.copytree(local, folder, ignore=shutil.ignore_patterns("results", ".snakemake"))
    (folder / HOLD).touch()
    start = [sys.executable, "-c", IMPATIENT, *command(*PROFILE, "--", TARGET)[3:]]
    with Cluster() as slurm, open(folder / "out", "w") as out:
        process = subprocess.Popen(start, cwd=folder, env=slurm.environment, stdout=out, stderr=out)
        try:
            cancelled, limited = _strike(slurm, _Watch(slurm, process, folder / "out"), folder)
            status = process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        jobs = slurm.jobs()
    assert status == 0, (folder / "out").read_text()[-3000:]
    states = {job["id"]: job["state"] for job in jobs}
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
