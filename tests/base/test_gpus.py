"""Runs that share a machine with several GPUs have one each."""

import subprocess
import sys

import pytest
import torch

from medpeft.base import gpus


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with two GPUs; return the list of those that were chosen."""
    chosen = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(gpus, "_held", [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return chosen


def _another_process(monkeypatch):
    monkeypatch.setattr(gpus, "_held", [])


def test_each_run_is_bound_to_its_own(machine, monkeypatch):
    first = gpus._held
    gpus.bind()
    gpus.bind()  # one process needs one GPU
    _another_process(monkeypatch)
    gpus.bind()
    assert machine == [0, 1]
    assert len(first) == 1


def test_a_run_waits_for_a_free_one(machine, monkeypatch):
    held = [gpus._held]
    gpus.bind()
    _another_process(monkeypatch)
    held.append(gpus._held)
    gpus.bind()
    _another_process(monkeypatch)
    monkeypatch.setattr(gpus.time, "sleep", lambda _: held[1].pop().close())  # the second run ends
    gpus.bind()
    assert machine == [0, 1, 1]


def test_a_killed_run_holds_none(machine, tmp_path):
    code = "import fcntl, os; f = open(os.sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / f"medpeft-{gpus.os.getuid()}-gpu-0")], check=False)
    gpus.bind()
    assert machine == [0]


def test_processes_that_see_different_gpus_do_not_wait_for_each_other(machine, monkeypatch):
    for visible in ("0,1", "0,1", "2,3"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        _another_process(monkeypatch)
        machine.append(gpus._held)
        gpus.bind()
    assert [choice for choice in machine if isinstance(choice, int)] == [0, 1, 0]


def test_a_single_gpu_is_shared(machine, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    gpus.bind()
    assert machine == []
