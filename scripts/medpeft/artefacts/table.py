"""One table: its numbers as CSV, and for readers in each markup."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medpeft.artefacts.markup import RENDERERS
from medpeft.artefacts.registry import maker
from medpeft.artefacts.sources import read_sources
from medpeft.artefacts.words import titled
from medpeft.base.files import replacing, write_table


def table(
    name: str, sources: Mapping[str, Any], csv: Path, markups: Mapping[str, Path], titles: Mapping[str, str]
) -> None:
    """Make the table `name` of its `sources`, the paths of files by their names.

    Args:
        name: One of `medpeft.artefacts.registry.tables()`.
        sources: See `medpeft.artefacts.sources.read_sources`.
        csv: Where its numbers go, one row a case.
        markups: Where it goes in each markup of `medpeft.artefacts.markup.RENDERERS`.
        titles: What readers call each dataset, by its name; the numbers keep the names.
    """
    with titled(titles):
        numbers, layout = maker("table", name)(read_sources(sources))
    write_table(csv, numbers)
    for markup, path in markups.items():
        with replacing(path) as temporary:
            temporary.write_text(RENDERERS[markup](layout), encoding="utf-8")
