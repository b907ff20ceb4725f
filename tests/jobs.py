"""Jobs as Snakemake starts them, without Snakemake."""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

LIBRARY = Path(__file__).parents[1] / "scripts"
NUMBERS = itertools.count()

# What Snakemake makes of a script: a file of its own name that is run from the working directory.
JOB = f"""
import sys
sys.path.insert(0, {str(LIBRARY)!r})
from pathlib import Path
from medpeft.pipeline.handover import hand_over

hand_over(Path(sys.argv[0]), "subset busi")
import os
import time
warmed = "medpeft.data.subset" in sys.modules
"""


def start(folder, body, job=JOB, stage="subset", before=None, stdin=None, **environment):
    script = folder / ".snakemake" / "scripts" / f"tmp{next(NUMBERS)}.{stage}.py"
    script.write_text(job + body, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, script.relative_to(folder)],
        cwd=folder,
        env=os.environ | environment,
        text=True,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=before,  # noqa: PLW1509 - this process has no threads then
    )


def run(folder, body, **options):
    process = start(folder, body, **options)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def working_directory(folder, monkeypatch) -> Iterator[Path]:
    """Yield `folder` as the working directory of a Snakemake, with a folder for sockets whose path is short enough."""
    (folder / ".snakemake" / "scripts").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as sockets:
        monkeypatch.setenv("TMPDIR", sockets)
        yield folder


def ends(number, seconds=10):
    """Return whether a process ends in time; it may then be there until somebody waits for it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False
