"""A warm process that jobs are forked from, so that hundreds of short ones do not import torch each for itself.

Importing costs a job two to five seconds of processor time, about as much as a small run trains. The first job of a
Snakemake starts the warm process. It imports what a stage needs when the stage is first asked for, and forks a child
for each job. A child computes what the job's own process would have computed, and dies with it. With nothing to do the
warm process ends by itself.

All of it is in this module, and `stage.run` is its one caller. With MEDPEFT_WARM=0 in the environment every job does
its work in its own process, to the same results. An import that fails in the warm process is a warning in the log of
the job that asked for it (`failed_imports`).
"""

import atexit
import contextlib
import fcntl
import gc
import hashlib
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import TextIO

from medpeft.base.errors import cause
from medpeft.base.places import LIBRARY

SWITCH = "MEDPEFT_WARM"  # in the environment: 0 turns warm processes off
SCRIPTS = Path(".snakemake/scripts")  # where Snakemake writes the files of jobs
SPECULATIVE = "peft"  # some methods need it: imported between two jobs, once a stage has imported timm
IDLE_SECONDS = 10
REAP_SECONDS = 1
START_SECONDS = 30
REQUEST_SECONDS = 5
MESSAGE = 1 << 16  # bytes read at once
LONGEST_ADDRESS = 108  # bytes that the kernel has for the path of a socket, the last of them 0
# Memory that was freed is kept for the next tensor, and lies in large pages, for the kernel takes time to hand out
# fresh ones: a training step of EfficientNet-Lite0 takes 3 to 9 % less, more on a busy machine.
ALLOCATOR = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184"

forked = threading.Event()  # set in a child
failed_imports: dict[str, str] = {}  # by module, why the warm process could not import it; a child has its own stage's


@dataclass(frozen=True)
class _Request:
    """What a job asks for: its script, and the environment to run it in."""

    script: str
    environment: dict[str, str]

    @property
    def modules(self) -> list[str]:
        """The modules that the script needs: Snakemake's, and those of the library that have the name of its stage."""
        stage = Path(self.script).stem.rpartition(".")[2]
        return ["snakemake.script", *(f"medpeft.{file.parent.name}.{stage}" for file in LIBRARY.glob(f"*/{stage}.py"))]


def spare_collector() -> None:
    """Let Python's garbage collector look for garbage less often in this process.

    Importing torch makes millions of objects, none of them garbage: at Python's default the collector looks at them
    again and again, which takes as long as a third of the import.
    """
    gc.set_threshold(100_000, 50, 1000)


def hand_over(script: Path) -> None:
    """Let the warm process run `script`, the file of this job, and exit with its status.

    Returns where there is no warm process: then this process does the work itself. It also returns in the child, and in
    a container that holds a single job, which the warm process would outlive.
    """
    if os.environ.get(SWITCH) == "0" or {"APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"} & os.environ.keys():
        return
    if forked.is_set() or sys.platform != "linux" or script.absolute().parent != Path.cwd() / SCRIPTS:
        return
    address = _address()
    connection = _connect(address) if address else None
    if connection is None:
        return
    request = _Request(str(script), dict(os.environ))
    message, begun = json.dumps(vars(request)).encode() + b"\n", b""
    with connection:
        with contextlib.suppress(OSError):  # the warm process has ended at this moment
            socket.send_fds(connection, [message], [sys.stdout.fileno(), sys.stderr.fileno()])
            begun = connection.recv(1)
        if not begun:
            return
        status = connection.recv(1)
    sys.stdout.flush()
    os._exit(status[0] if status else 128 + signal.SIGKILL)  # no status: the child was killed, perhaps for its memory


def serve(address: Path) -> None:
    """Fork a child for every job that connects to the socket `address`, until there has been none for a while.

    The child does the work when it has left the server behind.
    """
    spare_collector()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, no child can be waited for
    with open(address.with_suffix(".lock"), "w") as lock, socket.socket(socket.AF_UNIX) as listener:
        if not _take(lock):
            return  # another job has started one
        for left in address.parent.glob("*.lock"):
            with open(left, "w") as other:
                if _take(other):  # of one that was killed
                    _remove(left.with_suffix(".socket"))
        address.unlink(missing_ok=True)
        listener.bind(str(address))
        listener.listen(128)
        work = _attend(listener)
        if work is None and _take(lock):  # still its own
            _remove(address)
    if work:
        work()


def _take(lock: TextIO) -> bool:
    """Lock an open file until it is closed, as at the end of this process; return whether it was free and is there."""
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock.fileno()), Path(lock.name).stat())
    return False


def _remove(address: Path) -> None:
    address.unlink(missing_ok=True)
    address.with_suffix(".lock").unlink(missing_ok=True)


def _address() -> Path | None:
    """Return the socket of the warm process for jobs of this Snakemake, or None where there is no safe place for one.

    It depends on all that makes imports differ: interpreter, library, and threads, whose number BLAS reads then. It
    also depends on the namespaces, for containers may share a folder.
    """
    try:
        own = f"medpeft-{os.getuid()}-{os.uname().nodename}"  # nodes of a cluster may share the folder
        folder = Path(tempfile.gettempdir()) / own  # an error where all disks are full
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat()  # of a link too: it could lead elsewhere a moment later
        spaces = [Path(f"/proc/self/ns/{name}").readlink() for name in ("pid", "mnt")]
    except OSError:
        return None
    if owner.st_uid != os.getuid() or owner.st_mode & 0o077:  # who can connect can have anything run
        return None
    library = max(file.stat().st_mtime_ns for file in LIBRARY.rglob("*.py"))
    key = f"{Path.cwd()} {sys.executable} {os.environ.get('OMP_NUM_THREADS')} {library} {spaces}"
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
            call = f"serve(Path({str(address)!r}))"
            command = f"from pathlib import Path; from medpeft.pipeline.warm import serve; {call}"
            environment = {"GLIBC_TUNABLES": ALLOCATOR} | os.environ | {"PYTHONPATH": str(LIBRARY.parent)}
            # -P: a file of the working directory takes the place of no module, as in the job's own process.
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        elif process.poll():
            return None
        elif process.poll() == 0:  # there was another one, which may just have ended
            process = None
        time.sleep(0.02)
    return None


def _attend(listener: socket.socket) -> Callable[[], None] | None:
    """Start a child for every job, which tells the job its status itself; return None, and in a child its work."""
    children = 0
    while (ready := wait([listener], REAP_SECONDS if children else IDLE_SECONDS)) or children:
        while children and os.waitpid(-1, os.WNOHANG)[0]:
            children -= 1
        if ready:
            connection, _ = listener.accept()
            request, descriptors = _receive(connection)
            child = _fork() if request else None
            if request and child == 0:
                return partial(_work, connection, request, descriptors)
            children += child is not None
            for descriptor in descriptors:
                os.close(descriptor)
            connection.close()  # a job without a child does its work itself
            if "timm" in sys.modules and not wait([listener], 0):
                _import(SPECULATIVE)
    return None


def _fork() -> int | None:
    """Return the number of a new child, 0 in the child, or None where there can be no more processes."""
    gc.freeze()  # or each child would copy what its garbage collector looks through
    try:
        return os.fork()
    except OSError:
        return None


def _receive(connection: socket.socket) -> tuple[_Request | None, list[int]]:
    """Return what a job asks for, None if it is gone or silent, and its output streams; its stage is imported then."""
    message, descriptors = b"", list[int]()
    connection.settimeout(REQUEST_SECONDS)  # or one job that is stopped here would stop all others
    with contextlib.suppress(OSError):
        message, descriptors, _, _ = socket.recv_fds(connection, MESSAGE, 2)
        while not message.endswith(b"\n") and (more := connection.recv(MESSAGE)):
            message += more
    if not message.endswith(b"\n"):
        return None, descriptors
    connection.settimeout(None)
    request = _Request(**json.loads(message))
    for module in request.modules:
        _import(module)
    return request, descriptors


def _import(module: str) -> None:
    """Import `module`, or note in `failed_imports` why it cannot be."""
    failed_imports.pop(module, None)
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever a module does: the job has to be able to say it
        failed_imports[module] = cause(error)


def _work(connection: socket.socket, request: _Request, descriptors: list[int]) -> None:
    """Run the script as the job's own process would."""
    forked.set()
    for module in failed_imports.keys() - {*request.modules, SPECULATIVE}:
        del failed_imports[module]  # of another stage
    with contextlib.suppress(OSError):  # the job is gone
        connection.send(b"\0")  # begun
    threading.Thread(target=_die_with, args=[connection], daemon=True).start()
    for number, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, number)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = [request.script]
    status = 1
    try:
        runpy.run_path(request.script, run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        _end(status, connection)


def _end(status: int, connection: socket.socket) -> None:
    """End this child as an interpreter ends, but leave its modules to the kernel: freeing torch takes 0.4 s."""
    threading._shutdown()  # type: ignore[attr-defined]  # what an interpreter calls at its end has no public name
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(OSError):
        connection.send(bytes([status & 0xFF]))
    os._exit(status)


def _die_with(connection: socket.socket) -> None:
    """End this child at once when the job's own process has ended: killed jobs must not go on writing."""
    with contextlib.suppress(OSError):
        connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)
