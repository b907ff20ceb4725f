"""The work of a job is done by another process, a child of a warm one or of its own: the job's own process watches.

So a job can be ended however it is busy, even where it was stopped, and one that was killed is told of in a sentence.
"""

import os
import signal
import socket
import sys
from pathlib import Path

from medpeft.pipeline.lending import Worker, lent
from medpeft.pipeline.warm import at_work
from medpeft.pipeline.watch import end_with, end_with_snakemake

SCRIPTS = Path(".snakemake/scripts")  # where Snakemake writes the files of jobs


def hand_over(script: Path, job: str, lend: bool = True) -> None:
    """Let another process do the work of `script`, the file of this job, and end as that one does.

    Returns in the process that does the work. It also returns where `script` is no job of Snakemake, and where there
    can be no other process: then this one does the work, and ends with Snakemake as well.

    Args:
        script: The file that Snakemake made of the stage's script.
        job: What the job is called in a message.
        lend: Whether a warm process may lend a child.
    """
    if at_work.is_set() or script.absolute().parent != Path.cwd() / SCRIPTS:
        return
    worker = (lent(script) if lend else None) or _own_child()
    if at_work.is_set():
        return
    end_with_snakemake(worker.kill if worker else None)
    if worker is None:
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches the worker as well: one of them says so
    status = worker.status()
    sys.stdout.flush()
    if status < 0:
        print(f"medpeft: {job}: {_killed(-status)}", file=sys.stderr, flush=True)
    os._exit(status if status >= 0 else 128 - status)


def _own_child() -> Worker | None:
    """Return a child of this process, None in the child, and None where there can be none."""
    if sys.platform != "linux":  # libraries of macOS do not survive a fork
        return None
    ours, theirs = socket.socketpair()
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, no child can be waited for
    try:
        number = os.fork()
    except OSError:  # there can be no more processes
        return None
    if number:
        theirs.close()
        return Worker(number, lambda: _status(number, ours))
    ours.close()
    signal.signal(signal.SIGCHLD, handler)
    at_work.set()
    end_with(theirs)
    return None


def _status(number: int, connection: socket.socket) -> int:
    """Wait for the end of a child and return its exit status, or the negative number of the signal that killed it."""
    with connection:  # the child ends when it is closed
        return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def _killed(number: int) -> str:
    """Return the sentence on a worker that a signal has ended."""
    if number == signal.SIGKILL:
        return (
            "it was killed (SIGKILL), as the system does where memory runs out: free memory, let fewer jobs run side "
            "by side (--cores) or give the rule more (mem_mb), and run again; it goes on where it was"
        )
    names = {one.value: one.name for one in signal.Signals}
    return f"it was ended by the signal {names.get(number, number)}: run again; it goes on where it was"
