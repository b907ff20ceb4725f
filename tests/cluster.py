"""A real SLURM (`apt-get install slurm-wlm munge`) of one node with more CPUs than there are and GPUs that are none."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmctldPort={controller}
SlurmdPort={daemon}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
GresTypes=gpu
MpiDefault=none
ReturnToService=2
KillWait=5
UnkillableStepTimeout=600
BatchStartTimeout=600
MessageTimeout=60
TCPTimeout=60
SlurmdTimeout=0
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
MinJobAge=86400
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=200000 Gres=gpu:3 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
# Runs slurmd and takes in what its jobs leave behind: for SLURM a job has not ended while one of its processes is not
# waited for, and the first process of a container may wait for none.
REAPER = """
import ctypes, os, signal, subprocess, sys
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
daemon = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(daemon.pid, signal.SIGTERM))
while os.wait()[0] != daemon.pid:
    pass
"""


def lacking() -> str | None:
    """Return why no SLURM can be started here, or None where it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "SLURM's daemons need root"
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    return f"no {missing[0]} here: apt-get install slurm-wlm munge" if missing else None


class Cluster:
    """A running SLURM; use it as a context. `environment` is what a command needs to reach it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)  # munge asks for a socket that everyone can reach
        self.environment = os.environ | {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder}:{os.environ['PATH']}",
        }
        self.node = socket.gethostname().partition(".")[0]
        self.daemons = []

    def __enter__(self) -> "Cluster":
        (self.folder / "munge.key").write_bytes(os.urandom(1024))
        (self.folder / "munge.key").chmod(0o400)
        (self.folder / "state").mkdir()
        (self.folder / "spool").mkdir()
        gpus = "".join(f"Name=gpu File=/dev/{name} Count=1\n" for name in ("null", "zero", "full"))
        (self.folder / "gres.conf").write_text(gpus)
        # The plugin starts srun without SLURM_CONF: on a real cluster the configuration lies where srun looks for it.
        srun = self.folder / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)
        ports = dict(zip(("controller", "daemon"), _free_ports(2), strict=True))
        text = CONFIGURATION.format(host=self.node, folder=self.folder, **ports)
        (self.folder / "slurm.conf").write_text(text)
        try:
            self._start(
                "munged", "--foreground", "--force",
                *(f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "log", "pid", "seed")),
                f"--socket={self.folder}/munge.socket",
            )  # fmt: skip
            _wait_for((self.folder / "munge.socket").exists, "munged")
            self._start("slurmctld", "-D")
            self._start(sys.executable, "-c", REAPER, "slurmd", "-D")
            _wait_for(lambda: "idle" in self.call("sinfo", "--noheader", "--format=%T"), "SLURM's node")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        with suppress(TimeoutError):
            _wait_for(self._cancelled, "the end of all jobs")
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(daemon.pid, signal.SIGKILL)
                daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, *command: str) -> str:
        """Return what one of SLURM's commands prints."""
        result = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return result.stdout

    def jobs(self) -> list[dict]:
        """Return number, state and comment (the rule and its wildcards) of all jobs that the controller knows of."""
        text = self.call("squeue", "--states=all", "--array", "--noheader", "--format=%i|%T|%k")
        return [dict(zip(("id", "state", "comment"), line.split("|", 2), strict=True)) for line in text.splitlines()]

    def _cancelled(self) -> bool:
        """Cancel all jobs and return whether none has a process left, which would outlive the daemons."""
        self.call("scancel", "--user=root")
        return not self.call("squeue", "--states=pending,running,completing", "--noheader")

    def _start(self, *command: str) -> None:
        with open(self.folder / f"{Path(command[0]).name}.out", "w") as out:
            daemon = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        self.daemons.append(daemon)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_for(condition, what: str, seconds: int = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)
