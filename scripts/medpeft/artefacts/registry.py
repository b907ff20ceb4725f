"""The tables and figures: each is one file in the folder `tables` or `figures`.

The file says in literals what the artefact is made of and where it stands in the paper, `TABLE = Table(...)` or
`FIGURE = Figure(...)`, and has a function `make(sources)`. A table's returns its numbers and its layout, a figure's its
numbers and the drawing. Rules, targets, tests and the paper find it by being there.
"""

import importlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from medpeft.base.errors import UserError
from medpeft.base.literals import assigned

SECTIONS = ("methods", "answers", "choice", "low_data", "populations", "generation", "costs", "details")  # of the paper
SOURCES = (
    *("runs", "scores", "comparisons", "crossovers", "ranks", "friedman", "recommendations", "parameters", "overall"),
    *("generation_intervals", "generation_comparisons", "subgroups", "gaps", "external", "external_differences"),
    *("other_scores", "splits", "rate_scores", "rates_per_fraction", "floors"),
    *("records", "searches", "memorisations", "downstreams", "per_class", "confusions", "curves", "reliability"),
    "primary",  # the metric that decides, which is no file
)


@dataclass(frozen=True)
class Artefact:
    """What is known of a table or figure without importing it.

    Attributes:
        caption: As the paper prints it; `{metric}` (the primary one, as it begins a sentence), `{most_data}`,
            `{images}`, and `{networks}` and `{published}` of its experiment are filled in.
        section: The section of the paper, one of `SECTIONS`.
        place: Its place among the artefacts of the section.
        sources: What it is made of, among `SOURCES`.
        published: The published tables or figures that it is set beside.
        experiments: The experiments that it is drawn from; a study needs one of them.
        requires: What a study must have besides; see `medpeft.pipeline.study.Study.has`.
        stage: The rule that makes it.
        narrow: How many panels the study may have, and the per cent of the page's width that the paper then gives it.
    """

    caption: str
    section: str
    place: int
    sources: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    experiments: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    stage: str = ""
    narrow: tuple[int, int] = (0, 100)

    kind: ClassVar[str]

    def lacking(self, experiments: Collection[str], has: Callable[[str], bool]) -> bool:
        """Tell whether a study with these `experiments`, and which `has` such features, cannot have it."""
        drawn = not self.experiments or not set(self.experiments).isdisjoint(experiments)
        return not (drawn and all(map(has, self.requires)))


@dataclass(frozen=True)
class Table(Artefact):
    """A table: numbers as CSV, and for readers in each markup."""

    stage: str = "table"

    kind = "table"


@dataclass(frozen=True)
class Figure(Artefact):
    """A figure: a drawing as PDF and PNG, and the plotted numbers as CSV."""

    stage: str = "figure"

    kind = "figure"


@cache
def tables() -> dict[str, Artefact]:
    """Return the tables by name, in the order of the paper, without importing them.

    Raises:
        UserError: A table says of itself what no artefact can be.
    """
    return _in_order("tables", "TABLE", Table)


@cache
def figures() -> dict[str, Artefact]:
    """Return the figures by name, in the order of the paper, without importing them.

    Raises:
        UserError: A figure says of itself what no artefact can be.
    """
    return _in_order("figures", "FIGURE", Figure)


def maker(kind: str, name: str) -> Callable[..., tuple[Any, Any]]:
    """Return the function that makes the artefact `name`, a `table` or a `figure`, of its sources."""
    return importlib.import_module(f"medpeft.artefacts.{kind}s.{name}").make


def file_of(kind: str, name: str) -> Path:
    """Return the file of the artefact `name`, a `table` or a `figure`."""
    return Path(__file__).parent / f"{kind}s" / f"{name}.py"


def _in_order(folder: str, constant: str, kind: type[Artefact]) -> dict[str, Artefact]:
    files = [file for file in (Path(__file__).parent / folder).glob("*.py") if not file.stem.startswith("_")]
    found = {file.stem: _read(file, constant, kind) for file in sorted(files)}
    return dict(sorted(found.items(), key=lambda item: (SECTIONS.index(item[1].section), item[1].place)))


def _read(file: Path, constant: str, kind: type[Artefact]) -> Artefact:
    artefact = kind(**assigned(file, constant, kind))
    if artefact.section not in SECTIONS or not isinstance(artefact.place, int):
        raise UserError(
            f"{file}: {artefact.section!r}, {artefact.place!r} is no section and place of the paper: name one of "
            f"{', '.join(SECTIONS)} and a whole number"
        )
    lists = (artefact.sources, artefact.published, artefact.experiments, artefact.requires)
    if not all(isinstance(names, tuple) for names in lists):
        raise UserError(f"{file}: sources, published, experiments and requires are tuples: write ('runs',), not 'runs'")
    if unknown := sorted(set(artefact.sources) - set(SOURCES)):
        raise UserError(f"{file}: there is no source {unknown[0]!r}: choose among {', '.join(SOURCES)}")
    return artefact
