"""The end of Snakemake ends its jobs, however it came: an orphan would go on writing what the next Snakemake writes.

Snakemake says in the environment of its jobs which process it is. On a cluster each job has a Snakemake of its own on
its node, which says its own.
"""

import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SNAKEMAKE = "MEDPEFT_SNAKEMAKE"  # in the environment of jobs: whose they are
POLL_SECONDS = 1


def announce() -> None:
    """Tell the jobs that this process starts that it is their Snakemake."""
    os.environ[SNAKEMAKE] = f"{_here()} {os.getpid()} {_beginning(os.getpid())}"


def end_with_snakemake(kill: Callable[[], None] | None = None) -> None:
    """Kill this process, after a call of `kill`, as soon as the Snakemake whose job it is has ended.

    A thread waits for that. There is none where Snakemake did not announce itself to this job, or on another node or in
    another container: then the lock alone keeps two jobs apart (`ownership`).
    """
    place, *process = os.environ.get(SNAKEMAKE, "").rsplit(" ", 2)
    if place != _here():
        return
    number, beginning = process

    def watch() -> None:
        _wait(int(number), beginning)
        if kill:
            kill()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def end_with(connection: socket.socket) -> None:
    """Kill this process as soon as the one at the other end of `connection` has ended: it works for that one."""

    def watch() -> None:
        with suppress(OSError):
            connection.recv(1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _here() -> str:
    """Return where numbers of processes mean the same: the node, and on Linux the namespace, as of a container."""
    space = Path("/proc/self/ns/pid")
    return f"{os.uname().nodename}/{space.readlink() if sys.platform == 'linux' else ''}"


def _wait(number: int, beginning: str) -> None:
    """Wait for the end of a process; a later one of the same number has another beginning."""
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(number)
        except ProcessLookupError:
            return
        except OSError:  # Linux before 5.3
            pass
        else:
            if _beginning(number) == beginning:
                waiting = select.poll()
                waiting.register(descriptor, select.POLLIN)
                waiting.poll()
            return
    while _beginning(number) == beginning:
        time.sleep(POLL_SECONDS)


def _beginning(number: int) -> str | None:
    """Return when a process began, in ticks since the machine did, or None if it ended, a dash if not on Linux."""
    try:
        if sys.platform != "linux":
            os.kill(number, 0)
            return "-"
        state, *fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else fields[18]
