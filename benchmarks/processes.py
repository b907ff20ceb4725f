"""Processes and what they cost."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from medpeft.base.errors import UserError

HERE = Path(__file__).parent
ROOT = HERE.parent
PR_SET_CHILD_SUBREAPER = 36  # of prctl


class Cost(NamedTuple):
    """What processes took: seconds of the wall and of the processors, bytes of memory of the largest of them."""

    seconds: float
    cpu_seconds: float
    memory_bytes: int


def timed(command: list[str], log: Path, threads: int) -> Cost:
    """Run `command`, its output into the file `log`, and return its cost; a failure is a `UserError` that names it.

    Processes that it leaves behind, as the pipeline's warm process is, are ended and counted.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT / "scripts"), str(HERE)]), "OMP_NUM_THREADS": str(threads)}
    with open(log, "wb") as stream:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | paths, stdout=stream, stderr=stream, process_group=0
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    usages = [usage, *_end_of_group(process.pid)]
    if process.returncode:
        raise UserError(f"{' '.join(command[1:3])} ended with status {process.returncode}: {log} says why")
    unit = 1 if sys.platform == "darwin" else 1024
    processor = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return Cost(seconds, processor, max(usage.ru_maxrss for usage in usages) * unit)


def adopt_orphans() -> None:
    """Become the parent of what children leave behind, for only a parent learns what a process has cost."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_of_group(group: int) -> Iterator:
    """End what is left of a process group and yield the usage of each process."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
    with suppress(ChildProcessError):
        while True:
            yield os.wait4(-group, 0)[2]
