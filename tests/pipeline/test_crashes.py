"""Whatever stops a study, it goes on where it was, to the same results, and no finished run is done twice."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import STUDY, command, make_project, results, snakemake

TARGET = "results/tiny/runs.csv"
GRID = {"datasets": ["busi"], "fractions": [0.1], "seeds": [0]}
SMALL = STUDY | {
    "experiments": {
        "table2": GRID | {"backbones": ["efficientnet_lite0"], "methods": ["full", "ssf"]},
        "table4": GRID | {"backbones": ["tiny_diffusion"], "methods": ["lora"]},
    }
}
SCORES = ("metrics.json", "predictions.csv", "test.csv")

pytestmark = pytest.mark.slow
mounting = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or not shutil.which("mount"), reason="mounting a small disk needs root"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, float]:
    """The small study as it ends when nothing stops it, and the seconds that it took."""
    folder, started = make_project(tmp_path_factory.mktemp("whole"), SMALL), time.monotonic()
    _finish(folder)
    return folder, time.monotonic() - started


@pytest.fixture
def prepared(whole, tmp_path) -> Path:
    """The small study, of which all is done but the runs of classification."""
    folder = tmp_path / "project"
    shutil.copytree(whole[0], folder)
    shutil.rmtree(folder / "results/tiny/runs/busi/efficientnet_lite0")
    (folder / TARGET).unlink()
    return folder


def _finish(folder: Path) -> None:
    result = snakemake(folder, "--cores", "2", "--quiet", "--", TARGET)
    assert result.returncode == 0, result.stderr


def _start(folder: Path) -> subprocess.Popen:
    """Start the study as the leader of a process group."""
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command("--cores", "2", "--", TARGET), cwd=folder, start_new_session=True, **silent)


def _finished_runs(folder: Path) -> dict[str, bytes]:
    """Return the records of the runs that have scores; each says how long its training took."""
    scored = {Path(path).parent for path in results(folder, "metrics.json")}
    return {path: content for path, content in results(folder, "record.json").items() if Path(path).parent in scored}


def _wait_for(found: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.exhaustive)])
def test_killed_at_any_moment_it_ends_the_same_and_does_nothing_twice(whole, tmp_path, kills):
    complete, seconds = whole
    folder, moment, finished = make_project(tmp_path, SMALL), random.Random(0), {}
    for _ in range(kills):
        process = _start(folder)
        try:
            process.wait(moment.uniform(0.1, 0.5) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        finished |= _finished_runs(folder)
        assert snakemake(folder, "--unlock").returncode == 0
    _finish(folder)
    assert results(folder, *SCORES) == results(complete, *SCORES)
    assert finished.items() <= results(folder, "record.json").items()
    assert not [*folder.rglob("results/**/.*.unfinished*"), *folder.rglob("results/**/.*.part")]


def test_a_second_one_is_refused_and_the_first_stops_when_asked_and_needs_no_unlocking(whole, prepared):
    first = _start(prepared)
    try:
        _wait_for(lambda: list(prepared.glob("results/tiny/runs/busi/efficientnet_lite0/**/*.log")), whole[1] + 60)
        second = snakemake(prepared, "--cores", "1", "--", TARGET)
        assert first.poll() is None
        first.send_signal(signal.SIGTERM)
        assert first.wait(whole[1] + 60) != 0
    finally:
        first.kill()
    assert second.returncode != 0
    assert "cannot be locked" in second.stderr
    _finish(prepared)
    assert results(prepared, *SCORES) == results(whole[0], *SCORES)


@pytest.fixture
def small_disk():
    """Return a function that lays a disk of so many bytes under a folder, or remounts it with other options."""
    mounted = set()

    def mount(folder: Path, options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        kind = f"remount,{options}" if folder in mounted else options
        subprocess.run(["mount", "-t", "tmpfs", "-o", kind, "tmpfs", folder], check=True, capture_output=True)
        mounted.add(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@mounting
def test_a_full_disk_is_said_and_loses_nothing(whole, prepared, small_disk):
    runs = prepared / "results/tiny/runs/busi/efficientnet_lite0"
    small_disk(runs, "size=6M")  # the delta of full fine-tuning takes 14 MB, that of SSF less than one
    result = snakemake(prepared, "--cores", "1", "--", TARGET)
    assert result.returncode != 0
    assert "medpeft: finetune busi efficientnet_lite0 full 0.1 0: the disk is full" in result.stderr
    finished = _finished_runs(prepared)
    assert {Path(path).parts[-4] for path in finished} == {"ssf", "lora"}
    small_disk(runs, "size=100M")
    _finish(prepared)
    assert results(prepared, *SCORES) == results(whole[0], *SCORES)
    assert finished.items() <= results(prepared, "record.json").items()


@mounting
def test_results_that_cannot_be_written_are_said_and_stay(whole, prepared, small_disk):
    runs = prepared / "results/tiny/runs/busi/efficientnet_lite0"
    small_disk(runs, "size=100M")
    shutil.copytree(whole[0] / runs.relative_to(prepared), runs, dirs_exist_ok=True)
    before = results(prepared, "metrics.json", "record.json")
    module = prepared / "scripts/medpeft/statistics/evaluate.py"
    module.write_text(module.read_text() + "# edited\n")
    small_disk(runs, "ro")
    result = snakemake(prepared, "--cores", "1", "--", TARGET)
    assert result.returncode != 0
    assert "Write-protected output files" in result.stderr
    assert "results/tiny/runs/busi/efficientnet_lite0/" in result.stderr
    assert results(prepared, "metrics.json", "record.json") == before


def test_spaces_in_its_path_and_another_working_directory_have_no_effect(whole, tmp_path):
    project, folder = tmp_path / "a project of mine", tmp_path / "the results"
    for path in (project, folder):
        path.mkdir()
    make_project(project, SMALL)
    shutil.move(project / "mirror", folder / "mirror")
    targets = (TARGET, "results/tiny/tables/table2.md", "results/tiny/tables/table6.md")
    result = snakemake(project, "--cores", "2", "--quiet", "--directory", str(folder), "--", *targets)
    assert result.returncode == 0, result.stderr
    assert results(folder, *SCORES) == results(whole[0], *SCORES)
    assert not (project / "results").exists()


def test_a_clock_that_jumped_costs_no_run(whole, tmp_path):
    """The splits and searches were made an hour later, by the clock of then, than the runs."""
    folder = tmp_path / "project"
    shutil.copytree(whole[0], folder)
    later = time.time() + 3600
    for path in [*folder.glob("data/splits/**/*.csv"), *folder.glob("results/tiny/tuning/**/*.*")]:
        os.utime(path, (later, later))
    result = snakemake(folder, "--dry-run", "--", TARGET)
    assert result.returncode == 0, result.stderr
    assert "rule finetune" not in result.stdout
