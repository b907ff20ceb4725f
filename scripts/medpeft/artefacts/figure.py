"""One figure: its drawing as PDF and PNG, and the plotted numbers as CSV."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medpeft.artefacts.panels import save
from medpeft.artefacts.registry import maker
from medpeft.artefacts.sources import read_sources
from medpeft.artefacts.words import titled
from medpeft.base.files import write_table


def figure(name: str, sources: Mapping[str, Any], csv: Path, pdf: Path, png: Path, titles: Mapping[str, str]) -> None:
    """Make the figure `name` of its `sources`, the paths of files by their names.

    Args:
        name: One of `medpeft.artefacts.registry.figures()`.
        sources: See `medpeft.artefacts.sources.read_sources`.
        csv: Where the plotted numbers go.
        pdf: Where the drawing goes.
        png: Where it goes at 200 dpi.
        titles: What readers call each dataset, by its name; the numbers keep the names.
    """
    with titled(titles):
        numbers, drawing = maker("figure", name)(read_sources(sources))
    write_table(csv, numbers)
    save(drawing, pdf, png)
