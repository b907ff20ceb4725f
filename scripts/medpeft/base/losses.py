"""What was listed and is not used, or not as it was meant: counted by reason, and refused beyond what is accepted."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.files import read_table

SHOWN = 3  # names of a reason in a message
LOGGED = 1000  # names of a reason in a log


class Reason(NamedTuple):
    """Why something is not used: in words, and what to do about it; None where it stops nothing."""

    words: str
    remedy: str | None = None


# In the order in which messages and cards give them. Those with a remedy stop a study that does not accept them.
REASONS = {
    "unreadable": Reason("unreadable files", "put sound copies in their place"),
    "misnamed": Reason(
        "files whose names are in an encoding that the archive does not tell",
        "pack it again with names in UTF-8, or unpack it and use the folder in its place",
    ),
    "unknown": Reason("files of an unknown format", "convert them, or name them under `exclude`"),
    "outside": Reason("images in no folder that is declared", "add their class, or name them under `exclude`"),
    "between": Reason(
        "images in folders of two classes, or of two parts of the split",
        "move them, or name the folder under `exclude`",
    ),
    "missing": Reason("listed images that are not there", "add them, or delete their rows"),
    "strangers": Reason(
        "images that the given split names and the dataset lacks", "correct them, or take the split of these images"
    ),
    "unlabelled": Reason("rows whose label is none of the classes", "correct them, or add their class"),
    "paired": Reason("images that are named after another, as masks are", "name them under `exclude`"),
    "ungrouped": Reason("images whose group is not known, each its own", "correct `group` or the table"),
    "alike": Reason("groups that differ in case, spaces, zeros or '.0' alone", "write each in one way"),
    "undecided": Reason("images of which every label is uncertain or missing"),
    "uncertain": Reason("images with an uncertain label"),
    "blank": Reason("images with a missing label"),
    "altered": Reason("images that differ from the published checksums"),
    "unreported": Reason("images without a report"),
    "unlisted": Reason("images that the table does not list"),
    "excluded": Reason("files that the study leaves out"),
    "others": Reason("files that are no images"),
    "recoded": Reason("tables that are not in UTF-8, read as Windows-1252"),
}


class Losses:
    """Names of what is not used, by reason; a name counts once for a reason, however often it is added."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}

    def add(self, reason: str, *names: str) -> None:
        """Note that `names` are not used for `reason`, one of `REASONS`."""
        if reason not in REASONS:
            raise KeyError(reason)
        self._names.setdefault(reason, {}).update(dict.fromkeys(names))

    def withdraw(self, reason: str, name: str) -> None:
        """Take back that `name` is not used for `reason`."""
        self._names.get(reason, {}).pop(name, None)

    def update(self, other: "Losses") -> None:
        """Add all that `other` holds."""
        for reason, names in other._names.items():
            self.add(reason, *names)

    def names(self, reason: str) -> list[str]:
        """Return what was added for `reason`, in that order."""
        return list(self._names.get(reason, ()))

    def table(self) -> pd.DataFrame:
        """Return reason, count and example (a name) of what was added, in the order of `REASONS`."""
        rows = [(reason, len(names), names[0]) for reason in REASONS if (names := self.names(reason))]
        return pd.DataFrame(rows, columns=["reason", "count", "example"])

    def aside(self) -> str:
        """Return how a sentence ends about a fault that losses may be the reason of; empty where none stops."""
        faults = self._faults({})
        return f" (there are also {'; '.join(faults.values())})" if faults else ""

    def lines(self) -> list[str]:
        """Return one line a reason for a log, with names."""
        return [
            f"{REASONS[reason].words}: {len(names)}: {', '.join(map(repr, names[:LOGGED]))}"
            for reason in REASONS
            if (names := self.names(reason))
        ]

    def refuse(self, where: str, dataset: str, accepted: Mapping[str, int]) -> None:
        """Raise where more is lost for a reason that stops than the study accepts.

        Args:
            where: What lost it, for the message.
            dataset: Its name in the study.
            accepted: How many a reason may have, 0 where it is not named.

        Raises:
            UserError: It names reasons, counts and examples, and what to write in the study to go on all the same.
        """
        faults = self._faults(accepted)
        if not faults:
            return
        counts = dict(accepted) | {reason: len(self.names(reason)) for reason in faults}
        written = ", ".join(f"{reason}: {count}" for reason, count in counts.items() if count)
        raise UserError(
            f"{where} has {'; '.join(faults.values())}; if that is as it should be, write "
            f"`accept: {{{dataset}: {{{written}}}}}` in the study"
        )

    def _faults(self, accepted: Mapping[str, int]) -> dict[str, str]:
        """Return in words, by reason, what stops and is more than is accepted."""
        return {
            reason: f"{words}: {len(names)}, such as {', '.join(map(repr, names[:SHOWN]))} ({remedy})"
            for reason, (words, remedy) in REASONS.items()
            if remedy and len(names := self.names(reason)) > accepted.get(reason, 0)
        }


def beyond(path: Path, accepted: Mapping[str, int]) -> dict[str, int]:
    """Return the counts in the table of losses at `path` that stop and are more than is accepted, by reason.

    There are none where there is no table, or a damaged one, of which `verify` tells.
    """
    try:
        losses = read_table(path)
        counts = dict(zip(losses["reason"], losses["count"], strict=True))
        return {name: int(n) for name, n in counts.items() if REASONS[name].remedy and n > accepted.get(name, 0)}
    except (OSError, ValueError, KeyError):
        return {}


def told(losses: pd.DataFrame) -> str:
    """Return what a table of losses says, in words; empty where nothing is lost."""
    return summary(dict(zip(losses["reason"], losses["count"], strict=True)))


def summary(counts: Mapping[str, int]) -> str:
    """Return the counts of reasons in words, as `unreadable files: 3; images that the table does not list: 7`."""
    return "; ".join(f"{reason.words}: {counts[name]:,}" for name, reason in REASONS.items() if counts.get(name))
