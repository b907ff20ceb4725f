"""A job ends with its Snakemake, whatever it is doing, and before it has written anything where that has ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jobs import JOB, LIBRARY, ends, start, working_directory

from medpeft.pipeline import watch

# Snakemake, as far as jobs know: it announces itself, and starts a job through a shell.
SNAKEMAKE = f"""
import subprocess, sys, time
sys.path.insert(0, {str(LIBRARY)!r})
from medpeft.pipeline.watch import announce
announce()
subprocess.run(["bash", "-c", "set -e; " + sys.executable + " " + sys.argv[1]])
"""
SPEAK = "print(os.getpid(), os.getppid(), warmed, flush=True)\n"
BUSY = {
    "sleeps": "while True: time.sleep(0.01)",
    "computes": "while True: pass",
    "holds the interpreter": "10 ** (10 ** 9)",  # no other thread of Python runs meanwhile
    "ignores signals": "import signal\nfor number in range(1, 32):\n    try: signal.signal(number, signal.SIG_IGN)\n"
    "    except OSError: pass\nwhile True: time.sleep(0.01)",
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    yield from working_directory(tmp_path, monkeypatch)


def _snakemake(folder: Path, body: str, before: str = "", **environment: str) -> subprocess.Popen:
    """Start a Snakemake with one job."""
    script = folder / ".snakemake" / "scripts" / "tmp1.subset.py"
    script.write_text(before + JOB + SPEAK + body)
    return subprocess.Popen(
        [sys.executable, "-c", SNAKEMAKE, script.relative_to(folder)],
        cwd=folder,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("setting", ["0", "1"])
@pytest.mark.parametrize("body", BUSY.values(), ids=BUSY)
def test_a_job_ends_when_snakemake_alone_is_killed(folder, body, setting):
    process = _snakemake(folder, body, MEDPEFT_WARM=setting)
    worker, _, warm = process.stdout.readline().split()
    assert warm == str(setting == "1")
    process.kill()
    process.wait()
    assert ends(int(worker))
    process.communicate()


@pytest.mark.parametrize("setting", ["0", "1"])
def test_a_stopped_worker_ends_as_well(folder, setting):
    process = _snakemake(folder, BUSY["computes"], MEDPEFT_WARM=setting)
    worker = int(process.stdout.readline().split()[0])
    os.kill(worker, signal.SIGSTOP)
    process.kill()
    process.wait()
    assert ends(worker)
    process.communicate()


def test_a_job_that_was_stopped_whole_ends_as_soon_as_it_goes_on(folder):
    """Nobody is left to end it before: its lock keeps the next one from writing."""
    process = _snakemake(folder, BUSY["sleeps"], MEDPEFT_WARM="0")
    worker, own, _ = process.stdout.readline().split()
    for number in (int(worker), int(own)):
        os.kill(number, signal.SIGSTOP)
    process.kill()
    process.wait()
    assert not ends(int(worker), seconds=0.5)
    os.kill(int(own), signal.SIGCONT)
    assert ends(int(worker))
    process.communicate()


def test_a_job_whose_snakemake_ended_before_it_began_writes_nothing(folder):
    code = (
        f"import sys, os; sys.path.insert(0, {str(LIBRARY)!r}); from medpeft.pipeline import watch; watch.announce(); "
    )
    announced = subprocess.check_output([sys.executable, "-c", f"{code}print(os.environ[watch.SNAKEMAKE])"], text=True)
    process = start(folder, "time.sleep(5); Path('written').touch()", **{watch.SNAKEMAKE: announced.strip()})
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "written").exists()


def test_a_later_process_of_the_same_number_is_not_snakemake(folder, monkeypatch):
    monkeypatch.setenv(watch.SNAKEMAKE, "")
    watch.announce()
    place, number, beginning = os.environ[watch.SNAKEMAKE].rsplit(" ", 2)
    process = start(folder, "time.sleep(5)", **{watch.SNAKEMAKE: f"{place} {number} {int(beginning) - 1}"})
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("other", ["", "node17/pid:[4026531836] 1 1"])
def test_a_job_that_cannot_see_snakemake_runs_to_its_end(folder, other):
    process = start(folder, "time.sleep(0.5); Path('written').touch()", **{watch.SNAKEMAKE: other})
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert (folder / "written").exists()


def test_where_the_kernel_watches_no_process_it_is_asked_again_and_again(monkeypatch):
    """As on Linux before 5.3, and in some containers."""
    monkeypatch.setattr(os, "pidfd_open", lambda _: (_ for _ in ()).throw(OSError(38, "Function not implemented")))
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.05)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.7)"])
    begun = time.monotonic()
    watch._wait(process.pid, watch._beginning(process.pid))
    assert time.monotonic() - begun > 0.3
    process.wait()
    watch._wait(process.pid, "1")


def test_where_no_process_can_be_forked_the_job_does_the_work_and_ends_with_snakemake(folder):
    refuse = "import os\ndef refuse(): raise OSError(11, 'Resource temporarily unavailable')\nos.fork = refuse\n"
    process = _snakemake(folder, BUSY["sleeps"], before=refuse, MEDPEFT_WARM="0")
    worker = int(process.stdout.readline().split()[0])
    process.kill()
    process.wait()
    assert ends(worker)
    process.communicate()
