"""Which device computes, on how many threads, and that it adds up in the same order each time."""

import os

import torch

from medpeft.base import gpus


def fix_arithmetic(threads: int, device: str) -> None:
    """Make equal runs add up in equal order: a fixed number of CPU threads, deterministic kernels on one GPU.

    Where a GPU has no deterministic kernel for an operation, torch warns in the log and goes on.
    """
    torch.set_num_threads(threads)
    if device == "cuda":
        gpus.bind()
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as cuBLAS asks for
        torch.use_deterministic_algorithms(True, warn_only=True)
