"""What a run is called: the folder of its results tells all that distinguishes it from the others of a study."""

from pathlib import Path
from typing import NamedTuple, Self

SEED_MARK = "seed-"  # of the folder of a search for one seed alone
CELL = ["dataset", "backbone", "method", "fraction"]  # what runs that differ in their seed alone have in common


class Search(NamedTuple):
    """One search for a learning rate, which runs of a method on a dataset and backbone share.

    These are all of them, or where the study asks for it those of one fraction, of one seed, or of both; `fraction` and
    `seed` as they stand in paths.
    """

    dataset: str
    backbone: str
    method: str
    fraction: str | None = None
    seed: str | None = None

    @property
    def path(self) -> str:
        """The tail of the path to its results; the mark of a seed tells it from a fraction of the same digits."""
        seed = self.seed and f"{SEED_MARK}{self.seed}"
        return "/".join(part for part in (*self[:4], seed) if part)

    @classmethod
    def of(cls, file: str | Path) -> Self:
        """Return the search in whose folder `file` lies."""
        parts = list(Path(file).parts[:-1])
        seed = parts.pop().removeprefix(SEED_MARK) if parts[-1].startswith(SEED_MARK) else None
        fraction = parts.pop() if parts[-1][0].isdigit() else None  # no method's name begins with a digit
        dataset, backbone, method = parts[-3:]
        return cls(dataset, backbone, method, fraction, seed)


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

    def search(self, per_fraction: bool = False, per_seed: bool = False) -> Search:
        """Return the search that gave it its learning rate, where fractions or seeds have their own or not."""
        return Search(*self[:3], self.fraction if per_fraction else None, self.seed if per_seed else None)

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
