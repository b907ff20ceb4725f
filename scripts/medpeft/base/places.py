"""Where the library and the project that it belongs to lie."""

from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]
PROJECT = LIBRARY.parents[1]
