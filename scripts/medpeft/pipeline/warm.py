"""A warm process that jobs are forked from, so that hundreds of short ones do not import torch each for itself.

Importing costs a job two to five seconds of processor time, about as much as a small run trains. The first job of a
Snakemake starts the warm process (`lending`). It imports what a stage needs when the stage is first asked for. It forks
a child for each job that is like the one that started it: in its environment, its folder, its limits and whatever else
a process hands on (`inherited`). So the child computes what the job would have computed by itself, and dies with the
job's own process. With nothing to do the warm process ends by itself.

An import that fails in the warm process is a warning in the log of the job that asked for it (`failed_imports`).
"""

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TextIO

from medpeft.base.errors import cause
from medpeft.base.places import LIBRARY
from medpeft.pipeline.inherited import inherited
from medpeft.pipeline.watch import end_with

SPECULATIVE = "peft"  # some methods need it: imported between two jobs, once a stage has imported timm
IDLE_SECONDS = 10
REAP_SECONDS = 1
REQUEST_SECONDS = 5
MESSAGE = 1 << 16  # bytes read at once
STREAMS = (0, 1, 2)  # input, output and errors, which the child has from the job
OWN_SIGNALS = (signal.SIGINT, signal.SIGCHLD)  # where SIGCHLD is ignored, no child can be waited for

at_work = threading.Event()  # set in a process that does the work of a job, which another one has handed over
failed_imports: dict[str, str] = {}  # by module, why the warm process could not import it; a child has its own stage's


@dataclass(frozen=True)
class Request:
    """What a job asks for: its script, and what its own process has that the child is to have as well."""

    script: str
    environment: dict[str, str]
    inherited: dict[str, Any]

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


def serve(address: Path) -> None:
    """Fork a child for every job that connects to the socket `address`, until there has been none for a while.

    The child does the work when it has left the server behind.
    """
    spare_collector()
    given = inherited()
    handlers = {number: signal.getsignal(number) for number in OWN_SIGNALS}
    for number in OWN_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
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
        work = _attend(listener, given)
        if work is None and _take(lock):  # still its own
            _remove(address)
    if work:
        for number, handler in handlers.items():
            signal.signal(number, handler)
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


def _attend(listener: socket.socket, given: dict[str, Any]) -> Callable[[], None] | None:
    """Start a child for every job that was `given` the same as this process; return None, and in a child its work.

    A child tells the job its status itself, unless a signal has ended it.
    """
    children, settled = dict[int, socket.socket](), inherited()
    while (ready := wait([listener], REAP_SECONDS if children else IDLE_SECONDS)) or children:
        _reap(children)
        if ready:
            connection, _ = listener.accept()
            request, descriptors = _receive(connection)
            # What this process has may have been changed since it began: by an import, or from outside.
            alike = request and request.inherited == given and inherited() == settled
            child = _fork() if alike else None
            if request and child == 0:
                for other in children.values():
                    other.close()
                return partial(_work, connection, request, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            if child:
                children[child] = connection
            else:
                connection.close()  # the job does its work without this process
            if "timm" in sys.modules and not wait([listener], 0):
                _import(SPECULATIVE)
    return None


def _reap(children: dict[int, socket.socket]) -> None:
    """Take note of children that have ended, and tell their jobs which signal ended them."""
    while children:
        number, status = os.waitpid(-1, os.WNOHANG)
        if not number:
            return
        with children.pop(number) as connection, contextlib.suppress(OSError):  # the job is gone
            if os.WIFSIGNALED(status):
                connection.send(f"{-os.WTERMSIG(status)}\n".encode())


def _fork() -> int | None:
    """Return the number of a new child, 0 in the child, or None where there can be no more processes."""
    gc.freeze()  # or each child would copy what its garbage collector looks through
    try:
        return os.fork()
    except OSError:
        return None


def _receive(connection: socket.socket) -> tuple[Request | None, list[int]]:
    """Return what a job asks for, None if it is gone or silent, and its streams; its stage is imported then."""
    message, descriptors = b"", list[int]()
    connection.settimeout(REQUEST_SECONDS)  # or one job that is stopped here would stop all others
    with contextlib.suppress(OSError):
        message, descriptors, _, _ = socket.recv_fds(connection, MESSAGE, len(STREAMS))
        while not message.endswith(b"\n") and (more := connection.recv(MESSAGE)):
            message += more
    if not message.endswith(b"\n"):
        return None, descriptors
    connection.settimeout(None)
    request = Request(**json.loads(message))
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


def _work(connection: socket.socket, request: Request, descriptors: list[int]) -> None:
    """Run the script as the job's own process would."""
    at_work.set()
    for module in failed_imports.keys() - {*request.modules, SPECULATIVE}:
        del failed_imports[module]  # of another stage
    with contextlib.suppress(OSError):  # the job is gone
        connection.send(f"{os.getpid()}\n".encode())  # begun
    end_with(connection)
    for number, descriptor in zip(STREAMS, descriptors, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout.reconfigure(line_buffering=os.isatty(sys.stdout.fileno()))  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = [request.script]
    sys.path[0] = str(Path(request.script).absolute().parent)  # in place of the library, as for a script
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
        _end(status & 0xFF, connection)


def _end(status: int, connection: socket.socket) -> None:
    """End this child as an interpreter ends, but leave its modules to the kernel: freeing torch takes 0.4 s."""
    threading._shutdown()  # type: ignore[attr-defined]  # what an interpreter calls at its end has no public name
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(OSError):
        connection.send(f"{status}\n".encode())
    os._exit(status)
