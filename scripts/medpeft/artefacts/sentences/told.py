"""What a study has on record, and how an entry of a checklist asks for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from medpeft.artefacts.card import Numbers
from medpeft.artefacts.words import plain
from medpeft.data.dataset import Dataset
from medpeft.statistics.columns import CONFUSION_COLUMNS
from medpeft.statistics.populations.compare_subgroups import SUBGROUP_COLUMNS
from medpeft.statistics.populations.external_validation import EXTERNAL_COLUMNS


@dataclass(frozen=True)
class Told:
    """What a study has on record.

    Attributes:
        settings: The study's settings, resolved.
        runs: One row a distinct run, of classifiers and of text to image, as in `runs.csv`.
        scores: The scores of the cells, as in `scores.csv`.
        datasets, audits: What is known of each dataset, and the numbers of its audit, by name.
        records: The `record.json` of runs.
        limitations: The sentences of the section on limitations.
        subgroups, external, confusions: The tables of these names, empty where the study has none.
    """

    settings: Mapping[str, Any]
    runs: pd.DataFrame
    scores: pd.DataFrame
    datasets: Mapping[str, Dataset]
    audits: Mapping[str, Numbers]
    records: Sequence[Mapping[str, Any]] = ()
    limitations: Sequence[str] = ()
    subgroups: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SUBGROUP_COLUMNS))
    external: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=EXTERNAL_COLUMNS))
    confusions: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CONFUSION_COLUMNS))

    def of_each(self, answer: Callable[[str, Numbers], str]) -> str:
        """Return the `answer` for each dataset after its title; empty answers are left out."""
        found = {name: answer(name, get) for name, get in self.audits.items()}
        return "; ".join(f"{plain(name)}: {text}" for name, text in found.items() if text)

    def values(self, column: str) -> list[str]:
        """Return the distinct values of a column of the runs."""
        return [str(value) for value in dict.fromkeys(self.runs[column].dropna())]


class Entry(NamedTuple):
    """What answers items of both checklists: their numbers, and the answer; an empty one is no answer."""

    topic: str
    claim: tuple[int, ...]
    tripod: tuple[str, ...]
    answer: Callable[[Told], str]
