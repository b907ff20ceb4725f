"""Reading and writing files so that a half-written one is never taken for complete."""

import hashlib
import json
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pandas as pd

from medpeft.base.errors import UserError

TEXT = {"image_id", "group_id", "label", "caption", "source_file", "first", "second", "split", "source"}
TEXT |= {"unknown", "class"}
FLAGS = {"same_label", "same_group"}
NUMBERS = {"fraction"}  # by which tables are joined, also empty ones


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it to `path` on success; on an error leave `path` as it was.

    Temporary files that a killed process left of the same `path` are removed: a job owns what it writes
    (`medpeft.pipeline.ownership`), so that no two processes write one. Whatever library writes the file, its mode is
    that of a new file, as the umask of the process says.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.iterdir():
        if re.fullmatch(rf"\.{re.escape(path.name)}\.[0-9a-f]+\.part", left.name):
            left.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")  # a name that no other node takes either
    mode = _mode_of_new(temporary)
    try:
        yield temporary
        if stat.S_IMODE(temporary.stat().st_mode) != mode:
            temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def set_modes(folder: Path) -> None:
    """Give all that is in `folder` the modes of new files and folders, whatever library has written or copied it."""
    probe = folder / ".new.part"
    modes = {False: _mode_of_new(probe), True: _mode_of_new(probe, folder=True)}
    for path in folder.rglob("*"):
        path.chmod(modes[path.is_dir()])


def _mode_of_new(path: Path, folder: bool = False) -> int:
    """Return the mode of a new file or folder at `path`, found by making one: umask and access lists decide it."""
    make, remove = (path.mkdir, path.rmdir) if folder else (path.touch, path.unlink)
    make()
    mode = stat.S_IMODE(path.stat().st_mode)
    remove()
    return mode


def drop_torn_line(path: Path) -> None:
    """Cut off what follows the last line break of the file `path`, if there is one: its writer was stopped there."""
    if path.exists():
        with open(path, "r+b") as stream:
            stream.truncate(stream.read().rfind(b"\n") + 1)


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
    types = dict.fromkeys(TEXT, str) | dict.fromkeys(FLAGS, bool) | dict.fromkeys(NUMBERS, float)
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
