"""Names and phrases as readers see them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import GAP, number, p_text

MOST_POINTS = 100  # by which scores between 0 and 1 can differ
ENCODERS = {"cnn": "Convolutional networks", "vit": "Vision transformers"}

_titles: ContextVar[Mapping[str, str] | None] = ContextVar("_titles", default=None)


@contextmanager
def titled(titles: Mapping[str, str]) -> Iterator[None]:
    """Call each dataset by its title among `titles`, by its name; two of one title have their names beside it."""
    shared = Counter(titles.values())
    shown = {name: title if shared[title] == 1 else f"{title} ({spaced(name)})" for name, title in titles.items()}
    token = _titles.set({name: spaced(name) if title == name else title for name, title in shown.items()})
    try:
        yield
    finally:
        _titles.reset(token)


def plain(name: str) -> str:
    """Return what readers call a dataset: its title inside of `titled`, else its name."""
    return (_titles.get() or {}).get(name) or spaced(name)


def spaced(name: str) -> str:
    """Return a name of files and tables as it reads in a text."""
    return name.replace("_", " ")


def percent(fraction: float) -> str:
    """Return a training fraction as per cent."""
    return f"{100 * fraction:g} %"


def share(value: float, digits: int = 1) -> str:
    """Return a share, 0 to 1, as per cent; one that is not 0 never reads 0, and one that is not 1 never reads 100."""
    if np.isnan(value):
        return GAP
    least = 10.0**-digits
    if 0 < 100 * value < least / 2:
        return f"< {least:.{digits}f} %"
    if 100 - least / 2 <= 100 * value < 100:
        return f"> {100 - least:.{digits}f} %"
    return f"{number(100 * value, digits)} %"


def span(counts: pd.Series) -> str:
    """Return whole numbers as `77`, or where they differ as `75 to 78`."""
    return " to ".join(f"{count:,}" for count in sorted({counts.min(), counts.max()}))


def case_title(dataset: str, backbone: str, fraction: float) -> str:
    """Return what a group of rows on one dataset, backbone and fraction is headed by."""
    return f"{plain(dataset)}, {backbone}, {percent(fraction)}"


def group_title(encoder: str, fraction: float, rows: pd.DataFrame) -> str:
    """Return what a group of rows over the datasets of one kind of encoder is headed by."""
    count = int(rows["datasets"].max())
    return f"{ENCODERS[encoder]}, {percent(fraction)}, {count} dataset{'' if count == 1 else 's'}"


def points(difference: float) -> str:
    """Return a difference between scores that lie between 0 and 1 in points, hundredths; a missing one is a gap."""
    if np.isnan(difference):
        return GAP
    size = 100 * difference
    if size > MOST_POINTS:
        return f"more than {MOST_POINTS} points"
    return f"{size:.1f}".removesuffix(".0") + (" point" if size == 1 else " points")


def friedman_words(test: pd.Series) -> str:
    """Return the result of Friedman's test as a clause, or why there is none."""
    if test["status"] != "ok":
        return test["status"].capitalize()
    difference = test["critical_difference"]
    return (
        f"Friedman's test {p_text(test['permutation_p_value'])} by permutation, {p_text(test['p_value'])} by "
        f"chi-square; "
        + (
            "no two mean ranks can differ significantly"
            if np.isnan(difference)
            else f"critical difference {number(difference, 2)}"
        )
    )
