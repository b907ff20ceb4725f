"""Files that were damaged at random, and whether what reads them survives."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH = 500  # files that one process reads: where it dies, the last that it has told is the one
MOST = 2 * 2**20  # kilobytes of memory
CHILD = """
import resource, sys, warnings
from pathlib import Path
from medpeft.base.errors import UserError
{imports}
warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2)  # of which libraries take a part without using it
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.name, flush=True)
    try:
        {read}
    except UserError as error:
        assert "\\n" not in str(error), str(error)
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def damaged(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Return `content` after one to four changes of a kind that broken disks and attackers make."""
    found = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place, length = int(rng.integers(len(found) + 1)), int(rng.integers(1, 64))
        if rng.random() < 0.5:  # where headers are
            place = min(place, int(rng.integers(256)))
        kind = rng.integers(7)
        if kind == 0:
            found[place : place + 1] = rng.bytes(1)
        elif kind == 1:
            del found[max(place, 1) :]
        elif kind == 2:
            found[place : place + length] = bytes([int(rng.choice([0, 255]))]) * length
        elif kind == 3:
            found[place:place] = rng.bytes(length)
        elif kind == 4:
            found[place:place] = found[place : place + length]
        elif kind == 5:
            found[place:] = other[int(rng.integers(len(other))) :]
        else:  # a number that is huge, or just beyond a limit
            number = int(rng.choice([2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 65_536, 100_000]))
            found[place : place + 4] = number.to_bytes(4, str(rng.choice(["little", "big"])))  # type: ignore[arg-type]
    return bytes(found)


def survives(folder: Path, count: int, make: Callable[[int], bytes], imports: str, read: str) -> None:
    """Have processes `read` files that `make` gives for `count` seeds, each with a result or one sentence.

    Args:
        folder: An empty one.
        count: How many files.
        make: Gives the content of the file of a seed.
        imports: Lines of Python.
        read: A line of Python that reads `path`; it may raise `UserError`, whose sentence has one line.
    """
    here = folder / "work" / "here"
    here.mkdir(parents=True)
    environment = os.environ | {"TMPDIR": str(here), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    child = CHILD.format(imports=imports, read=read)
    for start in range(0, count, BATCH):
        batch = folder / f"files-{start}"
        batch.mkdir()
        for seed in range(start, min(start + BATCH, count)):
            (batch / f"{seed:05d}").write_bytes(make(seed))
        files = sorted(batch.iterdir())
        done = subprocess.run(
            [sys.executable, "-c", child, str(batch)],
            capture_output=True,
            text=True,
            check=False,
            cwd=here,
            env=environment,
        )
        *told, last = ["imports", *done.stdout.split("\n")[:-1]]
        assert done.returncode == 0, f"{last}: status {done.returncode}: {done.stderr[-2000:]}"
        assert told == ["imports", *(path.name for path in files)]
        assert int(last.removeprefix("peak ")) < MOST
        assert list(here.iterdir()) == []
        assert list(here.parent.iterdir()) == [here]
        assert sorted(batch.iterdir()) == files
