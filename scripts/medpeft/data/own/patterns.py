"""Patterns of paths, as a study names files: `*_mask.png`, `masks`, `train/**/*.dcm`. Brackets are taken as written."""

import re
import unicodedata
from collections.abc import Callable, Iterable

WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def composed(name: str) -> str:
    """Return `name` with letters and accents as one character each: macOS writes them as two, others as one."""
    return unicodedata.normalize("NFC", name)


def has_wildcard(name: str) -> bool:
    """Tell whether `name` is a pattern of several names."""
    return "*" in name or "?" in name


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that tells whether a path, or a folder that it lies in, matches one of `patterns`.

    `*` and `?` stand for letters of one name, `**` for any folders. A pattern without a slash may match at any depth,
    one with a slash begins at the top.
    """
    found = [_expression(composed(pattern)) for pattern in patterns]
    return lambda path: any(expression.fullmatch(composed(path)) for expression in found)


def idle(patterns: Iterable[str], paths: list[str]) -> list[str]:
    """Return the patterns that match none of `paths`."""
    return [pattern for pattern in patterns if not any(map(matcher([pattern]), paths))]


def _expression(pattern: str) -> re.Pattern[str]:
    body = pattern.strip("/")
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", body)
    anywhere = "/" not in pattern.rstrip("/")
    text = "".join(WILDCARDS.get(piece) or re.escape(piece) for piece in pieces)
    return re.compile(("(?:.*/)?" if anywhere else "") + text + "(?:/.*)?", re.DOTALL)
