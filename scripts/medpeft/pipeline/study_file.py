"""The file of a study as it is written: what Snakemake no longer knows once it has read it."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from medpeft.base.errors import UserError


def refuse_repeated_keys(files: Iterable[str | Path]) -> None:
    """Refuse files in YAML or JSON that give one key of a mapping twice, of which only the last would count.

    Raises:
        UserError: It names the file, the key, and in YAML both lines.
    """
    for file in map(Path, files):
        text = file.read_text(encoding="utf-8")
        try:
            json.loads(text, object_pairs_hook=partial(_mapping, file))
        except ValueError:  # no JSON: Snakemake takes it for YAML too
            for first, second in _repeated(yaml.compose(text, yaml.SafeLoader)):
                numbers = dict.fromkeys(str(key.start_mark.line + 1) for key in (first, second))
                lines = f"in line{'s' * (len(numbers) > 1)} {' and '.join(numbers)}"
                raise _twice(file, first.value, lines) from None


def _mapping(file: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise _twice(file, key, "in one object")
    return dict(pairs)


def _twice(file: Path, key: str, where: str) -> UserError:
    return UserError(f"{file} gives the key {key!r} twice, {where}, and the last one would count: delete one of them")


def _repeated(node: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Yield pairs of equal keys in a mapping at or below `node`."""
    if isinstance(node, yaml.MappingNode):
        first: dict[Any, yaml.Node] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                known = first.setdefault((key.tag, key.value), key)
                if known is not key:
                    yield known, key
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item)
