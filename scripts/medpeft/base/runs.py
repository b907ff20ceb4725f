"""What a run is called: the folder of its results tells all that distinguishes it from the others of a study."""

from pathlib import Path
from typing import NamedTuple, Self

CELL = ["dataset", "backbone", "method", "fraction"]  # what runs that differ in their seed alone have in common


class Search(NamedTuple):
    """One search for a learning rate, which all runs of a method on a dataset and backbone share."""

    dataset: str
    backbone: str
    method: str

    @property
    def path(self) -> str:
        """The tail of the path to its results."""
        return "/".join(self)

    @classmethod
    def of(cls, file: str | Path) -> Self:
        """Return the search in whose folder `file` lies."""
        return cls(*Path(file).parts[-4:-1])


class Run(NamedTuple):
    """One fine-tuning; fraction and seed as they stand in paths."""

    dataset: str
    backbone: str
    method: str
    fraction: str
    seed: str

    @property
    def path(self) -> str:
        """The tail of the path to its results."""
        return "/".join(self)

    @property
    def search(self) -> Search:
        """The search that gave it its learning rate."""
        return Search(*self[:3])

    @property
    def cell(self) -> dict[str, str | float]:
        """Its cell, as columns of a table."""
        return dict(zip(CELL, (*self[:3], float(self.fraction)), strict=True))

    @classmethod
    def of(cls, file: str | Path) -> Self:
        """Return the run in whose folder `file` lies."""
        return cls(*Path(file).parts[-6:-1])

    @classmethod
    def named(cls, path: str) -> Self:
        """Return the run whose path ends in `path`, as `Run.path` gives it."""
        return cls(*path.split("/"))
