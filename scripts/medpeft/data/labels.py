"""What labels images have: one of several classes, ordered or not, or any number of them, some unknown.

A table of images has a column `label`. Where classes exclude each other it holds the name of one. Where they do not
(multi-label), it holds those that an image has, joined by `|`. A column `unknown` then holds, likewise, those of which
this is not known: they take no part in loss and scores.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from medpeft.base.files import read_json

LabelKind = Literal["multi-class", "binary", "ordinal", "multi-label"]
LABEL_KINDS: tuple[LabelKind, ...] = get_args(LabelKind)
SEPARATOR = "|"
UNKNOWN = "unknown"  # the column that only tables of several labels an image have
LABELS_FILE = "labels.json"  # beside a manifest


@dataclass(frozen=True)
class Labels:
    """The labels of a dataset.

    Attributes:
        task: Their kind.
        classes: In the order of the outputs of a classifier; of an ordinal task from the lowest to the highest.
        positive: Of a binary task, the class that is looked for.
    """

    task: LabelKind
    classes: tuple[str, ...]
    positive: str | None = None

    def entry(self) -> dict[str, Any]:
        """Return what a JSON file says of them."""
        return asdict(self) | {"classes": list(self.classes)}


MULTI_CLASS = Labels("multi-class", ())


def labels_in(entry: Mapping[str, Any]) -> Labels:
    """Return the labels of which a `record.json` tells; without a word they are of several classes."""
    told = entry.get("labels", MULTI_CLASS.entry())
    return Labels(told["task"], tuple(told["classes"]), told["positive"])


def labels_beside(manifest: str | Path) -> Labels:
    """Return the labels of the dataset whose table is the file `manifest`, as `prepare` wrote them beside it."""
    return labels_in({"labels": read_json(Path(manifest).with_name(LABELS_FILE))})


def refusal(task: LabelKind, classes: Iterable[str], positive: str | None) -> str | None:
    """Return why a dataset of these `classes` cannot be of the kind `task`, and what to do; None where it can."""
    names = list(classes)
    if task == "binary" and len(names) != 2:
        return f"a binary task has two classes, not {len(names)}: take task multi-class, or name two classes"
    if task == "binary" and positive is None:
        return f"a binary task needs `positive`, the class that is looked for: {' or '.join(names)}"
    if task != "binary" and positive is not None:
        return f"`positive` belongs to the task binary, and this one is {task}: leave it out, or take task binary"
    if positive is not None and positive not in names:
        return f"`positive` is {positive!r}, which is none of the classes {', '.join(names)}: name one of them"
    if task == "multi-label" and (wrong := [name for name in names if SEPARATOR in name]):
        return f"the class {wrong[0]!r} has a {SEPARATOR} in its name, which stands between labels: rename it"
    return None


def is_multi_label(table: pd.DataFrame) -> bool:
    """Tell whether images of `table` may have several labels or none."""
    return UNKNOWN in table


def joined(columns: pd.DataFrame) -> pd.Series:
    """Return, row by row, the names of the `columns` (bool) that hold, joined by `SEPARATOR`."""
    names = columns.columns.to_numpy(dtype=object)
    return pd.Series([SEPARATOR.join(names[row]) for row in columns.to_numpy(dtype=bool)], columns.index, dtype=object)


def in_words(label: str) -> str:
    """Return the labels of one image, which may have several, as a caption says them."""
    return label.replace(SEPARATOR, ", ") or "none of the classes"


def class_counts(table: pd.DataFrame, column: str = "label") -> dict[str, int]:
    """Return how many images of `table` have each label that occurs, sorted by name."""
    names = table[column]
    if is_multi_label(table):
        names = names.str.split(SEPARATOR, regex=False).explode()
        names = names[names != ""]
    return {str(name): int(count) for name, count in names.value_counts().sort_index().items()}


def marks(table: pd.DataFrame, classes: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return which images have each of `classes`, and of which it is known, both bool (images, classes)."""
    names = list(classes)
    if is_multi_label(table):
        positive, unknown = (_members(table[column], names) for column in ("label", UNKNOWN))
        return positive, ~unknown
    positive = table["label"].to_numpy(dtype=object)[:, None] == np.array(names, dtype=object)
    return positive, np.ones_like(positive)


def _members(cells: pd.Series, names: list[str]) -> np.ndarray:
    """Return which of `names` each of `cells` holds."""
    column = {name: number for number, name in enumerate(names)}
    found = np.zeros((len(cells), len(names)), dtype=bool)
    for row, cell in zip(found, cells, strict=True):
        row[[column[name] for name in cell.split(SEPARATOR) if name in column]] = True
    return found


def contradicting(table: pd.DataFrame, sets: np.ndarray) -> np.ndarray:
    """Return which images are in a set where one has a class and another is known not to have it.

    Args:
        table: The images.
        sets: The number of the set of each.
    """
    positive, known = marks(table, class_counts(table))
    rows = pd.DataFrame(np.hstack([positive, known & ~positive])).groupby(np.asarray(sets)).transform("any").to_numpy()
    have, lack = np.hsplit(rows, 2)
    return (have & lack).any(axis=1)


def same_labels(first: pd.DataFrame, second: pd.DataFrame) -> np.ndarray:
    """Return which rows of two tables do not contradict each other: no class that one has is known to lack another."""
    classes = sorted({*class_counts(first), *class_counts(second)})
    (have, known), (have_too, known_too) = marks(first, classes), marks(second, classes)
    return ~((have != have_too) & known & known_too).any(axis=1)
