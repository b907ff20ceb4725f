"""Rows and groups of pandas tables, as code that knows their columns wants them typed.

What a column holds is known to who wrote the table and not to a type checker: to it a cell is anything that pandas has.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd


def each_row(table: pd.DataFrame) -> Iterator[Any]:
    """Yield each row of `table` as a named tuple of its columns."""
    return table.itertuples()


def each_group(table: pd.DataFrame, by: str | list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Yield the values of `by`, a tuple where they are several, and their rows, in the order in which they appear."""
    yield from table.groupby(by, sort=False)


def row_at(table: pd.DataFrame, key: Any) -> "pd.Series[Any]":
    """Return the one row of `table` whose index is `key`."""
    return table.loc[key]
