"""A job owns what it writes: no two processes write the same files, on one node or on several.

A job that outlives its Snakemake, or was given up by a cluster and runs on, would otherwise write beside the one that
is to take its place.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from medpeft.base.errors import UserError

PATIENCE = 15  # seconds in which the job of a killed Snakemake has ended
PAUSE = 0.1  # seconds between two attempts
HELD = (errno.EACCES, errno.EAGAIN)
LOCAL = {"nolock", "local_lock=all", "local_lock=posix", "localflock"}  # mount options of NFS and Lustre
MOUNTS = Path("/proc/self/mountinfo")


@contextmanager
def owned(log: Path) -> Iterator[str | None]:
    """Own what the job that writes `log` writes, until the end of the context or of this process.

    The lock is one of POSIX (`fcntl`), on a hidden file beside `log`: shared file systems that keep any locks among
    nodes keep these, some of them flock(2) on one node alone. It ends with this process, and no child inherits it:
    workers that outlive it for a moment write nothing and must keep nobody waiting. It would also end if this process
    opened the file a second time and closed that, which nothing here does.

    Yields:
        None, or why two jobs on this file system are not kept apart.

    Raises:
        UserError: Another process owns it, which did not end in `PATIENCE` seconds.
        OSError: The file cannot be opened or written.
    """
    path = log.with_name(f".{log.name}.lock")
    stream, failure = _locked(path)
    try:
        _name_owner(stream)
        yield _doubt(path.parent, failure)
    finally:
        if _is_at(stream, path):
            path.unlink()  # while it is locked: who waits for it sees that it is gone, and makes another
        stream.close()


def _locked(path: Path) -> tuple[TextIO, OSError | None]:
    """Return the file at `path`, locked, or not locked and the reason why it cannot be."""
    deadline = time.monotonic() + PATIENCE
    while True:
        stream = open(path, "a+", encoding="utf-8")  # noqa: SIM115
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in HELD:
                return stream, error
            stream.seek(0)
            owner = stream.read() or "one that has not given its name"
        else:
            if _is_at(stream, path):
                return stream, None
            owner = ""  # it has just ended and removed the file
        stream.close()
        if owner and time.monotonic() > deadline:
            raise UserError(
                f"another process writes what this job is to write ({owner} owns {path}): wait until it has ended or "
                "end it there, and run again; where that machine is gone for good, delete this file"
            )
        time.sleep(PAUSE)


def _is_at(stream: TextIO, path: Path) -> bool:
    """Tell whether an open file is still the one at `path`."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    return False


def _name_owner(stream: TextIO) -> None:
    """Write into the lock which process has it, for one that waits."""
    job = os.environ.get("SLURM_JOB_ID")
    stream.truncate(0)
    stream.write(f"process {os.getpid()} on {os.uname().nodename}" + (f", SLURM job {job}" if job else ""))
    stream.flush()
    os.fsync(stream.fileno())  # other nodes read it


def _doubt(folder: Path, failure: OSError | None) -> str | None:
    """Return why locks in `folder` do not keep two jobs apart, or None."""
    if failure:
        reason = f"has no locks ({failure.strerror})"
    elif _is_local(folder):
        reason = "keeps locks on this node alone, as it is mounted"
    else:
        return None
    return (
        f"the file system of {folder} {reason}: nothing but Snakemake's own lock keeps two jobs from writing the same "
        "files, so do not unlock while a job of a killed Snakemake may run"
    )


def _is_local(folder: Path) -> bool:
    """Tell whether the file system of `folder` is mounted so that other nodes do not see its locks."""
    if not MOUNTS.exists():
        return False
    number = folder.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    mounts = [line.split() for line in MOUNTS.read_text(encoding="utf-8").splitlines()]
    return any(mount[2] == device and LOCAL & {*mount[5].split(","), *mount[-1].split(",")} for mount in mounts)
