"""Which images belong to one patient, as a pattern finds it in their names or folders, or a table tells it."""

import re
import unicodedata

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.losses import Losses

NOBODY = {"na", "n/a", "nan", "none", "null", "nil", "unknown", "?", "-"}  # how programs write that a cell is empty


def check_pattern(pattern: str) -> str | None:
    """Return what is wrong with a regular expression for groups, or None."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        return f"it is no regular expression ({error})"
    return None if groups else "it has no parentheses around what tells the patient"


def groups_by_pattern(pattern: str, paths: pd.Series, where: str) -> pd.Series:
    """Return what the first parentheses of `pattern` find in each of `paths`; empty where nothing is found.

    It is looked for in the names of the files; where no name has it, in the whole paths, folders included.

    Args:
        pattern: A regular expression with parentheses.
        paths: Of the images, from the dataset's folder.
        where: What holds them, for messages.

    Raises:
        UserError: The pattern finds nothing at all, or one thing in the names and another in the folders before them.
    """
    in_name, in_path = _found(pattern, paths.str.rpartition("/")[2]), _found(pattern, paths)
    if (in_name == "").all():
        if len(paths) and (in_path == "").all():
            raise UserError(
                f"{where}: `group`, {pattern!r}, matches no name and no path of {len(paths)} images, such as "
                f"{paths.iloc[0]!r}: correct it"
            )
        return in_path
    differ = (in_name != "") & (in_path != "") & (in_name != in_path)
    if differ.any() and not pattern.startswith("^"):
        raise UserError(
            f"{where}: `group`, {pattern!r}, finds {in_name[differ].iloc[0]!r} in the name of "
            f"{paths[differ].iloc[0]!r} and {in_path[differ].iloc[0]!r} in its folders: say which is meant, by what "
            "stands before or behind it, as in '^(\\d+)_' for a name or 'patient(\\d+)/' for a folder"
        )
    return in_name


def _found(pattern: str, texts: pd.Series) -> pd.Series:
    expression = re.compile(pattern)
    return texts.map(lambda text: (match[1] or "") if (match := expression.search(text)) else "").astype(str)


def note_doubts(groups: pd.Series, image_ids: pd.Series, losses: Losses) -> pd.Series:
    """Return `groups`, empty where they name nobody; add to `losses` images without one, and groups that are alike."""
    groups = groups.where(~groups.str.casefold().isin(NOBODY), "")
    losses.add("ungrouped", *image_ids[groups == ""])
    alike: dict[str, list[str]] = {}
    for name in sorted(set(groups) - {""}):
        alike.setdefault(_essence(name), []).append(name)
    losses.add("alike", *(" and ".join(names) for names in alike.values() if len(names) > 1))
    return groups


def _essence(name: str) -> str:
    """Return `name` without what programs and hands change in an identifier: case, spaces, leading zeros, `.0`."""
    text = re.sub(r"\s+", "", unicodedata.normalize("NFKC", name)).casefold()
    return re.sub(r"(?<![\d.])0+(?=\d)", "", re.sub(r"(?<=\d)\.0+$", "", text))
