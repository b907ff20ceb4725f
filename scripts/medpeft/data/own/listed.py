"""The table in which a user lists images: where it lies, what its columns are called, and which rows can be used."""

import posixpath
import re
from difflib import get_close_matches
from typing import Any

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.data.archives import Source, is_visible, read_member_table
from medpeft.data.own.folders import refuse_other_spellings
from medpeft.data.own.patterns import composed, has_wildcard, matcher

COLUMNS = ("path", "label", "group", "caption", "split", "source")
REQUIRED = ("path", "label")
PERSON = re.compile(
    "patient|subject|participant|person|individual|lesion|donor|specimen|accession|^mrn|^group|^case(id|no|number)?$"
    "|^pid$|^(study|series|exam)(id|uid|instanceuid|no|number)?$"
)
PROPERTY = re.compile(
    "age|sex|gender|birth|weight|height|size|race|ethnic|position|orient|history|date|count|location|type|class|diagnos|label"
)


def read_listed(source: Source, declared: dict[str, Any], images: list[str]) -> pd.DataFrame:
    """Return member and label of the images that the table of a declared dataset lists, and what else it tells.

    The losses of `source` tell which rows are not used, and which of its `images` no row names.

    Args:
        source: The archive.
        declared: What the study says of the dataset.
        images: Those members of `source` that are images and meant.

    Raises:
        UserError: There is no such table, or several; it lacks a column; a column that may be meant is not read; an
            image is listed twice; or labels are spelt otherwise than the classes.
    """
    place = _place(source, declared["table"], declared["exclude"])
    where = f"{place!r} in {source.where}"
    source.losses.withdraw("others", place)
    given = read_member_table(source, place)
    table = _columns(given, declared, where)
    if len(table) == 0:
        raise UserError(f"{where} lists no image: add rows with path and label")
    table = _with_members(table, source, place)
    excluded = set(source.losses.names("excluded"))
    table = table[~table["member"].isin(excluded)]
    refuse_other_spellings(table["label"], declared["classes"], where)
    known = table["label"].map(composed).isin(set(map(composed, declared["classes"])))
    source.losses.add("unlabelled", *(table["path"] + " (" + table["label"] + ")")[~known])
    source.losses.add("missing", *table.loc[known & table["member"].isna(), "path"])
    table = table[known].dropna(subset="member").reset_index(drop=True)
    if (twice := table["member"].duplicated()).any():
        raise UserError(f"{where} lists {table.loc[twice, 'path'].iloc[0]!r} twice: delete one row")
    source.losses.add("unlisted", *(image for image in images if image not in set(table["member"])))
    spelt = {composed(name): name for name in declared["classes"]}
    return table.assign(label=table["label"].map(composed).map(spelt))


def _place(source: Source, name: str, exclude: list[str]) -> str:
    """Return the member of `source` that the study calls `name`, from its top or, without `./`, from any folder."""
    is_excluded = matcher(exclude)
    members = [member for member in source.names() if is_visible(member) and not is_excluded(member)]
    at_top = name.startswith(("./", "/"))
    wanted = composed(posixpath.normpath(name.replace("\\", "/").lstrip("/")))
    if has_wildcard(wanted):
        is_meant = matcher([f"/{wanted}" if at_top else wanted if "/" not in wanted else f"**/{wanted}"])
        found = [member for member in members if is_meant(member)]
    elif at_top:
        found = [member for member in members if composed(member) == wanted]
    else:
        found = [member for member in members if f"/{composed(member)}".endswith(f"/{wanted}")]
    if not found:
        tables = [member for member in members if member.lower().endswith((".csv", ".tsv", ".txt"))]
        close = get_close_matches(name, tables, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}?" if close else "name a table that is there"
        raise UserError(f"there is no {name} in {source.where}: {hint}")
    if len(found) > 1:
        raise UserError(
            f"{name} may be each of {' and '.join(map(repr, found[:3]))} in {source.where}: write the whole path, with "
            "./ in front if it lies at the top, or leave the others out by `exclude`"
        )
    return found[0]


def _columns(given: pd.DataFrame, declared: dict[str, Any], where: str) -> pd.DataFrame:
    """Return the columns of `given` that are read, under our names and without spaces around their values."""
    mapped, headers = declared["columns"], given.columns.tolist()
    attributes = declared.get("attributes", ())
    names = {ours: mapped.get(ours, ours) for ours in dict.fromkeys([*COLUMNS, *attributes])}
    needed = {*REQUIRED, *attributes}
    lacking = [ours for ours in names if names[ours] not in headers and (ours in needed or mapped.get(ours))]
    if lacking:
        ours = lacking[0]
        close = [name for name in headers if _letters(name) == _letters(names[ours])]
        hint = f"`columns: {{{ours}: {close[0] if close else 'NAME'}}}`"
        raise UserError(
            f"{where} lacks the column {names[ours]!r}, having {', '.join(headers)}: add it, or write {hint} in the "
            "study if it is there under another name"
        )
    read = {ours: name for ours, name in names.items() if name in headers}
    _refuse_both(read, declared, where)
    _refuse_unread(given, read, declared, where)
    return pd.DataFrame({ours: given[name].str.strip() for ours, name in read.items()})


def _refuse_both(read: dict[str, str], declared: dict[str, Any], where: str) -> None:
    """Refuse a table that tells what the study tells in another way too."""
    for key in ("group", "split"):
        if declared[key] and key in read:
            raise UserError(
                f"{where} has the column {read[key]!r} and the study the key `{key}`: take one of them, by "
                f"`columns: {{{key}: null}}` or by leaving out the key"
            )


def _refuse_unread(given: pd.DataFrame, read: dict[str, str], declared: dict[str, Any], where: str) -> None:
    """Refuse a table with columns that are not read and look as if they should be."""
    decided = set(declared["columns"]) | {key for key in ("group", "split") if declared[key]}
    unread = [name for name in given.columns.tolist() if name not in read.values()]
    for ours in COLUMNS:
        alike = [name for name in unread if _letters(name) == ours]
        if ours == "group":
            alike += [name for name in unread if tells_person(name) or _repeats(name, given[name])]
        if alike and ours not in decided:
            raise UserError(
                f"{where} has the column {alike[0]!r}, which is not read: if it tells the {ours} of an image, write "
                f"`columns: {{{ours}: {alike[0]}}}` in the study, else `columns: {{{ours}: {read.get(ours, 'null')}}}`"
            )


def tells_person(column: str) -> bool:
    """Tell whether the name of a column sounds as if it held patients or whatever else must stay together."""
    return bool(PERSON.search(_letters(column))) and not PROPERTY.search(_letters(column))


def _repeats(name: str, values: pd.Series) -> bool:
    """Tell whether a column is called an id and has values that several images share."""
    called = re.search(r"(?:^|[^a-z])id$", name.lower()) or re.search(r"[a-z]I[dD]$", name)
    return bool(called) and 1 < values.nunique() < len(values)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _with_members(table: pd.DataFrame, source: Source, place: str) -> pd.DataFrame:
    """Return `table` with the member that each path means, None where there is none."""
    folder = posixpath.dirname(place)
    members = {composed(name): name for name in source.names()}
    paths = (
        table["path"]
        .str.replace("\\", "/")
        .map(lambda path: members.get(composed(posixpath.normpath(posixpath.join(folder, path)))))
    )
    return table.assign(member=paths)
