"""How a device is made to compute the same each time: its threads, its kernels, the order of its sums."""

import os

import torch

from medpeft.base import gpus


def fix_arithmetic(threads: int, device: str) -> None:
    """Make equal runs add up in equal order: `threads` CPU threads, and deterministic kernels on one GPU for `cuda`.

    Where a GPU has no deterministic kernel for an operation, torch warns in the log and goes on.
    """
    torch.set_num_threads(threads)
    if device == "cuda":
        gpus.bind()
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as cuBLAS asks for
        torch.use_deterministic_algorithms(True, warn_only=True)
