"""Several labels an image, as the table of a user's own dataset tells them: in one column, or in one a class."""

from typing import Any

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.losses import Losses
from medpeft.data.labels import UNKNOWN, joined
from medpeft.data.own.folders import refuse_other_spellings
from medpeft.data.own.patterns import composed

POSITIVE, NEGATIVE, UNCERTAIN, MISSING = 1.0, 0.0, -1.0, float("nan")
VALUES = (POSITIVE, NEGATIVE, UNCERTAIN)


def refused_keys(declared: dict[str, Any]) -> str | None:
    """Return which keys of a declared dataset do not fit its task, and what to do; None where all do."""
    task, separator, none = declared["task"], declared["separator"], declared["none"]
    given = [key for key in ("separator", "none") if declared[key]]
    given += [key for key in ("uncertain", "missing") if declared[key] != "ignore"]
    if task != "multi-label":
        return f"`{given[0]}` belongs to the task multi-label, and this one is {task}: take it out" if given else None
    cut = [name for name in [*declared["classes"], none or ""] if separator and separator in name]
    one_column = not separator and "label" in declared["columns"]
    faults = [
        (not declared["table"], "several labels an image come from a table: name it under `table`"),
        (none in declared["classes"], f"`none` is {none!r}, which is one of the classes: take it out of `classes`"),
        (cut, f"the name {''.join(cut[:1])!r} has the separator {separator!r} in it: rename it"),
        (one_column, "`columns.label` names a column for all labels: say by `separator` what stands between them"),
        (
            separator and "uncertain" in given,
            "`uncertain` belongs to a table with a column a class, and by `separator` one holds all: take one out",
        ),
    ]
    return next((reason for fault, reason in faults if fault), None)


def class_columns(given: pd.DataFrame, declared: dict[str, Any], where: str) -> list[str]:
    """Return the columns of the table `given` that hold a class each, those of `none` included.

    Raises:
        UserError: One of them is not there.
    """
    if declared["task"] != "multi-label" or declared["separator"]:
        return []
    wanted = [*declared["classes"], *([declared["none"]] if declared["none"] else [])]
    headers = {composed(name): name for name in given.columns}
    refuse_other_spellings(headers, wanted, where)
    if lacking := [name for name in wanted if composed(name) not in headers]:
        raise UserError(
            f"{where} lacks a column {lacking[0]!r} for this class, having {', '.join(given.columns)}: correct it, or "
            "say by `separator` what stands between the labels if one column holds them all"
        )
    return [headers[composed(name)] for name in wanted]


def with_labels(table: pd.DataFrame, declared: dict[str, Any], where: str, losses: Losses) -> pd.DataFrame:
    """Return the rows of a multi-label `table` whose labels can be used, with them in `label` and `unknown`.

    Args:
        table: Its rows, with the columns `path` and `member` (None where there is no such image), and `label` or one
            column a class.
        declared: What the study says of the dataset.
        where: What holds the table, for messages.
        losses: Take what is not used or in doubt: rows with a label that is none of the classes (`unlabelled`), rows
            of which nothing is known (`undecided`), and rows with labels that are uncertain or missing.

    Raises:
        UserError: A value is none that there may be, a label is spelt otherwise than its class, or an image has a label
            and none at once.
    """
    read = _from_one_column if declared["separator"] else _from_columns
    values = read(table, declared, where, losses)
    table = table.loc[values.index]
    is_there = table["member"].notna()
    losses.add("uncertain", *table.loc[is_there & (values == UNCERTAIN).any(axis=1), "path"])
    losses.add("blank", *table.loc[is_there & values.isna().any(axis=1), "path"])
    meant = {"positive": POSITIVE, "negative": NEGATIVE, "ignore": MISSING}
    values = values.fillna(meant[declared["missing"]]).replace(UNCERTAIN, meant[declared["uncertain"]])
    decided = values.notna().any(axis=1)
    losses.add("undecided", *table.loc[is_there & ~decided, "path"])
    told = table.assign(**{"label": joined(values == POSITIVE), UNKNOWN: joined(values.isna())})
    return told[decided].drop(columns=class_columns(table, declared, where))


def _from_one_column(table: pd.DataFrame, declared: dict[str, Any], where: str, losses: Losses) -> pd.DataFrame:
    """Return the values of the classes (rows, classes) where one column names those that an image has."""
    spelt = {composed(name): name for name in declared["classes"]}
    none = composed(declared["none"]) if declared["none"] else None
    parts = [_parts(cell, declared["separator"]) for cell in table["label"]]
    refuse_other_spellings({name for names in parts for name in names}, declared["classes"], where)
    rows = {}
    for (number, path, cell), names in zip(table[["path", "label"]].itertuples(), parts, strict=True):
        if none in names and len(names) > 1:
            raise UserError(f"{where} gives {path!r} the labels {cell!r}, which are some and none at once: correct it")
        if names - {none} <= spelt.keys() and (names or declared["missing"] == "negative"):
            rows[number] = [float(name in names) for name in spelt]
        else:
            losses.add("unlabelled", f"{path} ({cell})")
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(spelt.values()), dtype=float)


def _parts(cell: str, separator: str) -> set[str]:
    return {composed(part.strip()) for part in cell.split(separator) if part.strip()}


def _from_columns(table: pd.DataFrame, declared: dict[str, Any], where: str, _losses: Losses) -> pd.DataFrame:
    """Return the values of the classes (rows, classes) where each has a column of 1, 0, -1 and blanks."""
    columns = class_columns(table, declared, where)
    values = table[columns].apply(lambda column: pd.to_numeric(column.replace("", None), errors="coerce")).astype(float)
    wrong = (table[columns] != "") & ~values.isin(VALUES)
    for name in columns:
        if wrong[name].any():
            row = table[wrong[name]].iloc[0]
            raise UserError(
                f"{where} has {row[name]!r} in the column {name!r} for {row['path']!r}, where only 1 (has it), "
                "0 (lacks it), -1 (uncertain) or a blank (missing) may stand: correct it"
            )
    classes = declared["classes"]
    values.columns = pd.Index([*classes, *([declared["none"]] if declared["none"] else [])])
    if declared["none"]:
        healthy = values[declared["none"]] == POSITIVE
        values.loc[healthy, classes] = values.loc[healthy, classes].fillna(NEGATIVE)
    return values[classes]
