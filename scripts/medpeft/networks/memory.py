"""Work cut to what fits in memory, and how much memory it took."""

import math
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from medpeft.base.errors import OutOfMemory

EXHAUSTED = ("allocate memory", "not enough memory", "ALLOC_FAILED")  # in a RuntimeError; the last of cuBLAS and cuDNN
Result = TypeVar("Result")


def as_fits(size: int, work: Callable[[int], Result]) -> tuple[Result, int]:
    """Return what `work(size)` gives, and the size, which is halved until the work fits in memory."""
    while True:
        try:
            with memory_errors():
                return work(size), size
        except OutOfMemory:
            if size == 1:
                raise
        size = math.ceil(size / 2)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn the ways in which torch reports exhausted memory into `OutOfMemory`."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory("out of memory") from error
    except RuntimeError as error:
        if not any(words in str(error) for words in EXHAUSTED):
            raise
        raise OutOfMemory("out of memory") from error


def peak_memory(device: str) -> int:
    """Return the bytes of the highest memory use so far: of the GPU, or of this process on a CPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
