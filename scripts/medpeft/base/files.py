"""Reading and writing files so that a half-written one is never taken for complete."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pandas as pd

from medpeft.base.errors import UserError

TEXT = {"image_id", "group_id", "label", "caption", "source_file", "first", "second", "split", "source"}
FLAGS = {"same_label", "same_group"}


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it to `path` on success; on an error leave `path` as it was.

    Temporary files that a killed process left of the same `path` are removed: no two processes write one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*.part"):
        left.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: dict) -> None:
    """Write `content` as sorted, indented JSON; equal content gives equal bytes."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> dict:
    """Return the object in the JSON file `path`."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write `table` as CSV without its index; floats keep every digit, so that equal numbers give equal bytes."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_table(path: str | Path) -> pd.DataFrame:
    """Return the CSV file `path`; identifiers and labels stay text: `001` is no number, `None` is not missing.

    Types are those of the column, not of the rows that happen to be there, so that an empty table is read as well.
    """
    missing = {column: [""] for column in pd.read_csv(path, nrows=0).columns if column not in TEXT}
    types = dict.fromkeys(TEXT, str) | dict.fromkeys(FLAGS, bool)
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=missing)


def write_checksum(path: str | Path) -> None:
    """Write the SHA-256 of the file `path` to `<path>.sha256`, as `sha256sum --check` reads it."""
    path = Path(path)
    with replacing(f"{path}.sha256") as temporary:
        temporary.write_text(f"{sha256(path)}  {path.name}\n", encoding="utf-8")


def check_checksum(path: str | Path) -> None:
    """Refuse the file `path` where a `<path>.sha256` stands beside it and tells another SHA-256."""
    beside = Path(f"{path}.sha256")
    if not beside.exists():
        return
    expected = beside.read_text(encoding="utf-8").split()[:1]
    if expected != [sha256(path)]:
        raise UserError(
            f"{path} is not the file whose SHA-256 {beside} tells: get the file that was meant, or delete "
            f"{beside.name} if it was changed on purpose"
        )


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of the file `path` in hexadecimal; this process reads a file once, unless it changes."""
    stat = Path(path).stat()
    return _sha256(str(path), (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))


@lru_cache(maxsize=4096)
def _sha256(path: str, _state: tuple[int, ...]) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
