"""What a process has from the one that started it, beside its environment: what it may do, and where, and how fast."""

import os
import sys
from contextlib import suppress
from pathlib import Path

# Lines of /proc/self/status that a process hands on to those that it starts. The others are its own: numbers, memory,
# counters, and signals that it catches.
STATUS = {
    *("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "NoNewPrivs", "Seccomp", "THP_enabled"),
    *("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Cpus_allowed", "Mems_allowed"),
    *("Speculation_Store_Bypass", "SpeculationIndirectBranch"),
}
FILES = ("limits", "cgroup", "oom_score_adj", "timerslack_ns", "personality", "coredump_filter", "attr/current")


def inherited() -> dict[str, object]:
    """Return what this process has from the one that started it, ready for JSON."""
    assert sys.platform == "linux"
    own = Path("/proc/self")
    status = [line.partition(":") for line in (own / "status").read_text(encoding="utf-8").splitlines()]
    return {
        "status": {key: value.strip() for key, _, value in status if key in STATUS},
        "files": {name: _text(own / name) for name in FILES},
        "namespaces": sorted(str(link.readlink()) for link in (own / "ns").iterdir()),
        "places": [_identity(place) for place in ("/", ".")],
        "group": [os.getpgrp(), os.getsid(0)],
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "scheduler": [os.sched_getscheduler(0), os.sched_getparam(0).sched_priority],
    }


def _text(path: Path) -> str | None:
    with suppress(OSError):  # of a kernel without it
        return path.read_text(encoding="utf-8")
    return None


def _identity(place: str) -> list[int]:
    """Return what tells a folder from another one that has taken its path."""
    stat = Path(place).stat()
    return [stat.st_dev, stat.st_ino]
