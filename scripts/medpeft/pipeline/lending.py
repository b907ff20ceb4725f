"""A child of a warm process that does the work of a job, asked for by the job's own process.

With MEDPEFT_WARM=0 in the environment no job asks, to the same results.
"""

import contextlib
import hashlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medpeft.base.places import LIBRARY
from medpeft.pipeline.inherited import inherited
from medpeft.pipeline.warm import STREAMS, Request

SWITCH = "MEDPEFT_WARM"  # in the environment: 0 turns warm processes off
START_SECONDS = 30
LONGEST_ADDRESS = 108  # bytes that the kernel has for the path of a socket, the last of them 0
MEMORY_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
# Memory that was freed is kept for the next tensor, and lies in large pages, for the kernel takes time to hand out
# fresh ones: a training step of EfficientNet-Lite0 takes 3 to 9 % less, more on a busy machine.
ALLOCATOR = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184"


@dataclass(frozen=True)
class Worker:
    """A process that does the work of a job.

    Attributes:
        number: Of the process.
        status: Waits for its end and returns its exit status, or the negative number of the signal that ended it.
    """

    number: int
    status: Callable[[], int]

    def kill(self) -> None:
        """End it, stopped or not."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.number, signal.SIGKILL)


def lent(script: Path) -> Worker | None:
    """Return a child of the warm process that has begun with `script`, the file of this job, or None.

    There is none in a container of a single job, which the warm process would outlive, nor where memory is limited with
    `ulimit`, for a warm process has more of it than a job.
    """
    limited = any(resource.getrlimit(kind)[0] != resource.RLIM_INFINITY for kind in MEMORY_LIMITS)
    contained = {"APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"} & os.environ.keys()
    if sys.platform != "linux" or os.environ.get(SWITCH) == "0" or limited or contained:
        return None
    request = Request(str(script), dict(os.environ), inherited())
    address = _address(request)
    connection = _connect(address) if address else None
    if connection is None:
        return None
    answers = connection.makefile()
    with contextlib.suppress(OSError):  # the warm process has ended at this moment
        socket.send_fds(connection, [json.dumps(vars(request)).encode() + b"\n"], STREAMS)
        if number := answers.readline():
            return Worker(int(number), lambda: int(answers.readline() or -signal.SIGKILL))
    connection.close()
    return None


def _address(request: Request) -> Path | None:
    """Return the socket of the warm process for jobs like this one, or None where there is no safe place for one.

    It depends on all that can make a child of it differ from the job: what a process hands on, the environment with all
    that imports read there, the interpreter and its packages, and the library, a copy in its place included.
    """
    try:
        own = f"medpeft-{os.getuid()}-{os.uname().nodename}"  # nodes of a cluster may share the folder
        folder = Path(tempfile.gettempdir()) / own  # an error where all disks are full
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat()  # of a link too: it could lead elsewhere a moment later
    except OSError:
        return None
    if owner.st_uid != os.getuid() or owner.st_mode & 0o077:  # who can connect can have anything run
        return None
    modules = [LIBRARY, *sorted(LIBRARY.rglob("*.py")), Path(sys.executable), Path(sysconfig.get_path("purelib"))]
    states = [[str(path), stat.st_dev, stat.st_ino, stat.st_mtime_ns] for path in modules for stat in [path.stat()]]
    key = json.dumps([request.environment, request.inherited, states], sort_keys=True)
    address = folder / f"{os.getpgrp()}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.socket"
    return address if len(os.fsencode(address)) < LONGEST_ADDRESS else None


def _connect(address: Path) -> socket.socket | None:
    """Return a connection to the warm process at `address`, started if there is none, or None where it fails to."""
    process, started = None, time.monotonic()
    while time.monotonic() - started < START_SECONDS:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(address))
            return connection
        except OSError:
            connection.close()
        if process is None:
            process = _started(address)
        elif process.poll():
            return None
        elif process.poll() == 0:  # there was another one, which may just have ended
            process = None
        time.sleep(0.02)
    return None


def _started(address: Path) -> subprocess.Popen:
    """Start a warm process, which has from this one what a process hands on."""
    command = (
        f"import sys; sys.path.insert(0, {str(LIBRARY.parent)!r}); from pathlib import Path; "
        f"from medpeft.pipeline.warm import serve; serve(Path({str(address)!r}))"
    )
    # -P: a file of the working directory takes the place of no module, as in the job's own process.
    return subprocess.Popen(
        [sys.executable, "-P", "-c", command],
        env={"GLIBC_TUNABLES": ALLOCATOR} | os.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
