"""A job owns what it writes for as long as it lives; a second one is told who does, and writes nothing."""

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import Namedlist

from medpeft.base.errors import UserError
from medpeft.pipeline import ownership
from medpeft.pipeline.ownership import owned
from medpeft.pipeline.stage import run

LIBRARY = Path(__file__).parents[2] / "scripts"
HOLDER = f"""
import sys, time
sys.path.insert(0, {str(LIBRARY)!r})
from pathlib import Path
from medpeft.pipeline.ownership import owned
with owned(Path(sys.argv[1])):
    print("owned", flush=True)
    BODY
"""


@pytest.fixture
def log(tmp_path, monkeypatch) -> Path:
    """The log of a job, as the attempt before has left it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tune.log"
    path.write_text("of the owner\n")
    return path


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(ownership, "PATIENCE", 0.3)


def _holder(log: Path, body: str = "time.sleep(60)", **environment: str) -> subprocess.Popen:
    """Start a process that owns what the job of `log` writes, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER.replace("BODY", body), log],
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == "owned\n"
    return process


def _end(process: subprocess.Popen) -> None:
    process.kill()
    process.communicate()


def _job(log: Path, attempt: int = 1) -> SimpleNamespace:
    lists = {name: Namedlist() for name in ("params", "input", "output")}
    wildcards = Namedlist(fromdict={"dataset": "busi"})
    return SimpleNamespace(
        log=[str(log)], rule="tune", wildcards=wildcards, resources={"attempt": attempt}, config={}, **lists
    )


def test_a_second_job_ends_with_a_sentence_that_names_the_owner_and_writes_nothing(log, impatient):
    holder = _holder(log, SLURM_JOB_ID="4711")
    try:
        before = {path: path.read_bytes() for path in log.parent.iterdir()}
        with pytest.raises(SystemExit) as caught:
            run(lambda _: pytest.fail("it began"), _job(log))
        assert {path: path.read_bytes() for path in log.parent.iterdir()} == before
    finally:
        _end(holder)
    assert str(caught.value) == (
        "medpeft: tune busi: another process writes what this job is to write "
        f"(process {holder.pid} on {os.uname().nodename}, SLURM job 4711 owns {log.parent}/.tune.log.lock): wait until "
        "it has ended or end it there, and run again; where that machine is gone for good, delete this file"
    )


def test_a_refusal_does_not_end_further_attempts(log, impatient):
    holder, done = _holder(log), []
    for attempt in (1, 2):
        with pytest.raises(SystemExit):
            run(done.append, _job(log, attempt))
    _end(holder)
    logging.getLogger().handlers.clear()
    run(done.append, _job(log, attempt=3))
    assert len(done) == 1
    assert sorted(path.name for path in log.parent.iterdir()) == ["provenance", "tune.log"]


@pytest.mark.parametrize("stopped", [False, True])
def test_the_lock_ends_with_a_killed_owner_stopped_or_not(log, impatient, stopped):
    holder = _holder(log)
    if stopped:
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(UserError, match="another process writes"), owned(log):
            pass
    _end(holder)
    with owned(log) as doubt:
        assert doubt is None
    assert not (log.parent / ".tune.log.lock").exists()


def test_a_job_waits_for_an_owner_that_is_about_to_end(log):
    holder, begun = _holder(log, "time.sleep(1)"), time.monotonic()
    with owned(log):
        assert 0.5 < time.monotonic() - begun < ownership.PATIENCE
    holder.communicate()


def test_of_many_that_come_and_go_one_at_a_time_has_it(log, tmp_path):
    body = """
    for _ in range(3):
        number = int(Path(sys.argv[1]).with_suffix(".count").read_text() or 0)
        time.sleep(0.01)
        Path(sys.argv[1]).with_suffix(".count").write_text(str(number + 1))
"""
    log.with_suffix(".count").write_text("0")
    code = HOLDER.replace("BODY", "for _ in [0]:" + body.replace("\n    ", "\n        "))
    processes = [subprocess.Popen([sys.executable, "-c", code, log], stdout=subprocess.DEVNULL) for _ in range(6)]
    assert [process.wait(60) for process in processes] == [0] * 6
    assert log.with_suffix(".count").read_text() == "18"


def test_no_child_of_the_owner_inherits_the_lock(log, impatient):
    holder = _holder(log, "import os; print(os.fork() or time.sleep(60), flush=True); os.abort()")
    child = int(holder.stdout.readline())
    holder.wait()
    try:
        os.kill(child, 0)
        with owned(log):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        holder.communicate()


def test_files_that_the_owner_opens_and_closes_do_not_end_the_lock(log, impatient):
    """A lock of POSIX ends where the process closes the locked file: the log, which is read and written, is another."""
    holder = _holder(
        log, "open(sys.argv[1]).close(); open(sys.argv[1], 'w').close(); print(flush=True); time.sleep(60)"
    )
    holder.stdout.readline()
    with pytest.raises(UserError, match="another process writes"), owned(log):
        pass
    _end(holder)


def test_the_end_of_one_owner_does_not_take_the_lock_of_another(log, impatient):
    """Somebody deletes the lock of a machine that seems gone for good, and then it comes back."""
    gone = log.with_suffix(".gone")
    first = _holder(log, f"while not Path({str(gone)!r}).exists(): time.sleep(0.01)")
    (log.parent / ".tune.log.lock").unlink()
    second = _holder(log)
    gone.touch()
    first.communicate()
    with pytest.raises(UserError, match=f"process {second.pid} on"), owned(log):
        pass
    _end(second)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_locks_is_said_on_the_terminal_and_in_the_log(log, monkeypatch, capsys, number):
    def refused(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "lockf", refused)
    logging.getLogger().handlers.clear()
    done = []
    run(done.append, _job(log))
    said = f"the file system of {log.parent} has no locks ({os.strerror(number)}): nothing but Snakemake's own lock"
    assert f"medpeft: {said}" in capsys.readouterr().err
    assert f"WARNING {said}" in log.read_text()
    assert done


@pytest.mark.parametrize(
    ("options", "local"),
    [
        ("rw shared:1 - nfs4 server:/home rw,vers=4.2,local_lock=none", False),
        ("rw shared:1 - nfs server:/home rw,vers=3,nolock", True),
        ("rw - nfs server:/home rw,local_lock=all", True),
        ("rw - nfs server:/home rw,local_lock=posix", True),
        ("rw,localflock - lustre mgs:/scratch rw", True),
        ("rw - lustre mgs:/scratch rw,flock", False),
    ],
)
def test_a_mount_that_keeps_locks_on_one_node_is_said(log, monkeypatch, options, local):
    number = log.stat().st_dev
    mounts = log.parent / "mountinfo"
    mounts.write_text(
        f"1 0 0:1 / /other rw - nfs other:/ rw,nolock\n2 1 {os.major(number)}:{os.minor(number)} / /home {options}\n"
    )
    monkeypatch.setattr(ownership, "MOUNTS", mounts)
    with owned(log) as doubt:
        assert bool(doubt) == local
        assert not local or "keeps locks on this node alone, as it is mounted" in doubt


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(SystemExit) as caught:
        run(lambda _: None, _job(tmp_path / "missing" / "tune.log"))
    assert "tune.log cannot be written (No such file or directory): mend that and run again" in str(caught.value)
