"""Whether files on this machine have changed since they were used.

Content decides, but what was not touched is not read again.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from medpeft.base.files import read_json, write_json

CACHE = Path(".snakemake/sources")  # sizes and times of the files that were looked at; without it all are read again


def seen(
    use: Path,
    files: dict[str, Path],
    noted: str | None,
    unchanged: Callable[[set[str]], bool],
    new: Callable[[], str] | None = None,
) -> str:
    """Return what changes when, and only when, the content of `files` does.

    Args:
        use: Where what was made of them lies; other uses of the same files are remembered apart.
        files: By the names that tell one from another.
        noted: What this returned when they were last used; None where they were not.
        unchanged: Tells whether the files are as when they were used. Its argument are the names of those whose size or
            times differ, or all where none were looked at since.
        new: Gives the name of a content that is another one, if not a hash of sizes and times.

    Returns:
        `noted` where nothing has changed, else another name.
    """
    stats = {name: _stat(file) for name, file in files.items()}
    cache = CACHE / f"{digest([str(use), *(str(file.absolute()) for file in files.values())])[:16]}.json"
    known = noted_in(cache)
    if known.get("stats") == stats:
        return str(known["content"])
    before = known["stats"] if known and known["content"] == noted else {}
    touched = {name for name, stat in stats.items() if before.get(name) != stat}
    same = noted is not None and unchanged(touched)
    content = str(noted) if same else new() if new else digest([json.dumps(stats)])
    write_json(cache, {"content": content, "stats": stats})
    return content


def noted_in(file: Path) -> dict[str, Any]:
    """Return the JSON object in `file`, or an empty one where there is none that can be read."""
    try:
        return read_json(file)
    except (OSError, ValueError):
        return {}


def digest(texts: Iterable[str]) -> str:
    """Return the SHA-256 of `texts`, one after the other, in hexadecimal."""
    found = hashlib.sha256()
    for text in texts:
        found.update(text.encode() + b"\0")
    return found.hexdigest()


def _stat(file: Path) -> list[int]:
    stat = file.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
