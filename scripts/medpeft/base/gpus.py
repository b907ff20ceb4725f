"""One GPU for each run where several runs share a machine that has several."""

import fcntl
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import TextIO

import torch

_held: list[TextIO] = []  # the open lock file of this process: the lock ends with it, however it ends


def bind() -> None:
    """Make a GPU that no other run of this user on this machine is bound to the current one of this process.

    Waits while all are taken. With a single visible GPU, as the scheduler of a cluster gives it, there is no choice.
    """
    names = _visible()
    if _held or len(names) < 2:
        return
    if (index := _lock_one(names)) is None:
        logging.warning("all %d GPUs are taken by other runs: waiting for one", len(names))
    while index is None:
        time.sleep(1)
        index = _lock_one(names)
    torch.cuda.set_device(index)


def _visible() -> list[str]:
    """Return the names of the visible GPUs, which differ between processes that see different ones."""
    count = torch.cuda.device_count()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return chosen.split(",")[:count] if chosen else [str(index) for index in range(count)]


def _lock_one(names: list[str]) -> int | None:
    """Return the index of a GPU whose lock this process has taken, or None where all are taken."""
    for index, name in enumerate(names):
        stream = open(Path(tempfile.gettempdir()) / f"medpeft-{os.getuid()}-gpu-{name}", "w")  # noqa: SIM115
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
        else:
            _held.append(stream)
            return index
    return None
