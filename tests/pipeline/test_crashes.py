"""Whatever stops a study, it goes on where it was, to the same results, and no finished run is done twice."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from jobs import ends
from tiny import STUDY, command, everything, make_project, results, snakemake

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
        time.sleep(0.01)


def test_the_umask_decides_the_mode_of_every_output(whole):
    mask = os.umask(0)
    os.umask(mask)
    outputs = [path for top in ("data", "results") for path in whole[0].glob(f"{top}/**/*")]
    modes = {(path.is_dir(), path.suffix, path.stat().st_mode & 0o777) for path in outputs}
    assert {mode for folder, _, mode in modes if not folder} == {0o666 & ~mask}, modes
    assert {mode for folder, _, mode in modes if folder} == {0o777 & ~mask}, modes


def _kill_group(process: subprocess.Popen) -> None:
    """Kill Snakemake and all that it has started, as the end of a session does."""
    os.killpg(process.pid, signal.SIGKILL)


def _kill_alone(process: subprocess.Popen) -> None:
    """Kill Snakemake, as a user does by its number: nobody kills its jobs."""
    process.kill()


@pytest.mark.parametrize("kill", [pytest.param(_kill_group, marks=pytest.mark.exhaustive), _kill_alone])
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.exhaustive)])
def test_killed_at_any_moment_it_ends_the_same_and_does_nothing_twice(whole, tmp_path, kill, kills):
    complete, seconds = whole
    folder, moment, finished = make_project(tmp_path, SMALL), random.Random(0), {}
    for _ in range(kills):
        process = _start(folder)
        try:
            process.wait(moment.uniform(0.1, 0.5) * seconds)
        except subprocess.TimeoutExpired:
            kill(process)
        process.wait()
        finished |= _finished_runs(folder)
        assert snakemake(folder, "--unlock").returncode == 0
    _finish(folder)
    assert finished.items() <= results(folder, "record.json").items()
    assert everything(folder) == everything(complete)


WRITERS = {"prepare", "tune", "finetune", "encode", "finetune_unet", "generate_test"}


def _writers(folder: Path, stages: Iterable[str]) -> dict[int, str]:
    """Return the processes that do the work of these stages at this moment, by their number, with the stage."""
    found = {}
    for path in (path for top in ("data", "results") for path in folder.glob(f"{top}/**/.*.log.lock")):
        stage = path.name.removesuffix(".log.lock").removeprefix(".")
        with suppress(FileNotFoundError):  # it has just ended
            if stage in stages and (text := path.read_text()):
                found[int(text.split()[1])] = stage
    return {number: stage for number, stage in found.items() if Path(f"/proc/{number}").exists()}


def _kill_while(folder: Path, stages: Iterable[str], seconds: float, stop: Callable[[int], None]) -> dict[int, str]:
    """Start the study, kill Snakemake alone while a job of these stages works, and return who did, as `_writers`."""
    process, found = _start(folder), dict[int, str]()
    try:
        _wait_for(lambda: found.update(_writers(folder, stages)) or found or process.poll() is not None, seconds)
        for number in found:
            stop(number)
    finally:
        _kill_alone(process)
        process.wait()
    assert found, f"no job was seen of {stages}"
    assert snakemake(folder, "--unlock").returncode == 0
    return found


@pytest.mark.exhaustive
def test_killed_alone_while_each_kind_of_job_writes_it_ends_the_same(whole, tmp_path):
    """Every second time the job was stopped, so that it could not end by itself: its own process ends it."""
    complete, seconds = whole
    folder, missing, kills = make_project(tmp_path, SMALL), set(WRITERS), 0
    while missing:
        stop = (lambda number: os.kill(number, signal.SIGSTOP)) if kills % 2 else (lambda _: None)
        found = _kill_while(folder, missing, 3 * seconds + 60, stop)
        assert all(map(ends, found))
        missing -= set(found.values())
        kills += 1
    _finish(folder)
    assert everything(folder) == everything(complete)


@pytest.mark.parametrize("log", ["tune", pytest.param("prepare", marks=pytest.mark.exhaustive)])
def test_a_job_that_was_stopped_whole_is_named_and_no_other_writes_until_it_ended(whole, tmp_path, log):
    """Nobody can end it: it has been stopped with the process that watches Snakemake."""
    complete, seconds = whole
    folder = make_project(tmp_path, SMALL)
    module = folder / "scripts/medpeft/pipeline/ownership.py"
    module.write_text(module.read_text().replace("PATIENCE = 15", "PATIENCE = 1"))
    stopped = list[int]()

    def stop(owner: int) -> None:
        _wait_for(lambda: _written(folder, owner), 60)
        stopped.extend([owner, *_watchers(folder)])
        for number in stopped:
            os.kill(number, signal.SIGSTOP)

    owner = next(iter(_kill_while(folder, [log], 3 * seconds + 60, stop)))
    try:
        before = _written(folder, owner)
        second = snakemake(folder, "--cores", "1", "--", TARGET)
        assert second.returncode != 0
        assert "another process writes what this job is to write" in second.stderr
        assert f"(process {owner} on " in second.stderr
        assert before
        assert _written(folder, owner) == before
    finally:
        for number in stopped:
            os.kill(number, signal.SIGCONT)
    assert all(map(ends, stopped))
    _finish(folder)
    assert everything(folder) == everything(complete)


def _watchers(folder: Path) -> list[int]:
    """Return the own processes of jobs, which do no work and watch Snakemake."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == folder and b".snakemake/scripts/" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


def _written(folder: Path, owner: int) -> dict[str, bytes]:
    """Return what a job has written so far, but its log, which Snakemake makes as well where there is none."""
    (lock,) = (path for path in folder.glob("*/**/.*.log.lock") if path.read_text().startswith(f"process {owner} on"))
    written = (path for path in lock.parent.iterdir() if path.is_file() and path != lock and path.suffix != ".log")
    return {str(path): path.read_bytes() for path in written}


def test_a_second_one_is_refused_and_the_first_stops_when_asked_and_needs_no_unlocking(whole, prepared):
    first = _start(prepared)
    try:
        _wait_for(lambda: list(prepared.glob("results/tiny/tuning/**/*.log")), whole[1] + 60)
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
