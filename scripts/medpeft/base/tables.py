"""Tables that others wrote, as spreadsheets and programs save them: every value is text, and nothing is guessed at."""

import codecs
import csv
import io
import re

import pandas as pd

from medpeft.base.errors import UserError

# The longer marks first: the one of UTF-32 begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WINDOWS = "cp1252"
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how a workbook of Excel begins, new and old
SEPARATOR_LINE = re.compile(r'"?sep=(?P<separator>.)"?\r?\n')  # Excel's own first line
QUOTED = re.compile(r'"[^"]*"')


def parse_table(content: bytes, where: str, remedy: str) -> tuple[pd.DataFrame, bool]:
    """Return the table in a file of separated values, and whether its encoding was none of Unicode's.

    Columns are separated by commas, semicolons, tabs or bars, whichever the first line has most of. Text is in UTF-8,
    UTF-16, UTF-32, or else in Windows-1252, as Excel saves it in Western Europe. Rows without any value and columns
    without a name are left out; spaces and line breaks in a name are one space.

    Args:
        content: Of the file.
        where: What it is called in messages.
        remedy: What else than saving it again may help, for messages.

    Returns:
        The rows as text, empty where there is no value, and True where Windows-1252 was assumed.

    Raises:
        UserError: It is no such table: it is empty, names a column twice, or has rows of other lengths than its first.
    """
    try:
        text, assumed = _decoded(content)
        return _parsed(text), assumed
    except (ValueError, csv.Error) as error:
        raise UserError(f"{where} is no table ({error}): save it as CSV in UTF-8, or {remedy}") from error


def column_names(head: bytes) -> list[str]:
    """Return the names of the columns of a table that begins with `head`; none where it is no table."""
    try:
        text = _decoded(head)[0]
        return next(csv.reader(text.splitlines()[:1], delimiter=_separator(text)), [])
    except (ValueError, csv.Error):
        return []


def _decoded(content: bytes) -> tuple[str, bool]:
    if content.startswith(WORKBOOKS):
        raise ValueError("it is a workbook or an archive")
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding), False
    if b"\0" in content[:2]:  # UTF-16 without a mark, whose first letter is an ASCII one
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le"), False
    try:
        return content.decode("utf-8"), False
    except UnicodeDecodeError:
        return content.decode(WINDOWS), True


def _parsed(text: str) -> pd.DataFrame:
    if "\0" in text:
        raise ValueError("it holds bytes that are no text")
    given = SEPARATOR_LINE.match(text)
    text = text[given.end() :] if given else text
    separator = given["separator"] if given else _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns = [" ".join(name.split()) for name in next(reader, [])]
    named = [name for name in columns if name]
    if not named:
        raise ValueError("its first line names no columns")
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise ValueError(f"it names the column {twice[0]!r} twice")
    rows, ragged = [], []
    for row in reader:
        if any(row[len(columns) :]) or len(row) < len(columns):
            ragged += [f"line {reader.line_num} has {len(row)} values where the first one has {len(columns)}"] * any(
                row
            )
        elif any(row):
            rows.append(row[: len(columns)])
    if ragged:
        more = f", and {len(ragged) - 1} more lines have too few or too many" if ragged[1:] else ""
        raise ValueError(ragged[0] + more)
    return pd.DataFrame(rows, columns=columns, dtype=str)[named]


def _separator(text: str) -> str:
    """Return what separates the columns in the first line; separators within quotes do not count."""
    header = QUOTED.sub("", text.partition("\n")[0])
    return max(",;\t|", key=header.count)
