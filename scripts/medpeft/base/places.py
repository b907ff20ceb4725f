"""Where the library and the project that it belongs to lie."""

import os
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]
PROJECT = LIBRARY.parents[1]


def prefer_here() -> None:
    """Make the processes that this one starts import this library, before one that is installed from another folder."""
    paths = [str(LIBRARY.parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
