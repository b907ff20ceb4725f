"""The table in which a user lists images: where it lies, what its columns are called, and which rows can be used."""

import posixpath
import re
from difflib import get_close_matches
from typing import Any

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.losses import Losses
from medpeft.data.archives import Source, is_visible, read_member_table
from medpeft.data.own.folders import refuse_other_spellings
from medpeft.data.own.patterns import composed, has_wildcard, matcher
from medpeft.data.own.several import class_columns, with_labels

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

    Where they may have several labels, `label` and `unknown` are as `medpeft.data.labels` says.

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
    table = _with_members(table, source, place, images)
    excluded = set(source.losses.names("excluded"))
    table = table[~table["member"].isin(excluded)]
    labelled = with_labels if declared["task"] == "multi-label" else _with_label
    table = labelled(table, declared, where, source.losses)
    source.losses.add("missing", *table.loc[table["member"].isna(), "path"])
    table = table.dropna(subset="member").reset_index(drop=True)
    if (twice := table["member"].duplicated()).any():
        raise UserError(f"{where} lists {table.loc[twice, 'path'].iloc[0]!r} twice: delete one row")
    source.losses.add("unlisted", *(image for image in images if image not in set(table["member"])))
    return table


def _with_label(table: pd.DataFrame, declared: dict[str, Any], where: str, losses: Losses) -> pd.DataFrame:
    """Return the rows of `table` whose label is one of the classes, spelt as the study spells it."""
    refuse_other_spellings(table["label"], declared["classes"], where)
    spelt = {composed(name): name for name in declared["classes"]}
    known = table["label"].map(composed).isin(spelt)
    losses.add("unlabelled", *(table["path"] + " (" + table["label"] + ")")[~known])
    return table[known].assign(label=table.loc[known, "label"].map(composed).map(spelt))


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
    of_classes = class_columns(given, declared, where)
    ours_or_theirs = dict.fromkeys([*COLUMNS, *attributes])
    names = {ours: mapped.get(ours, ours) for ours in ours_or_theirs if not (of_classes and ours == "label")}
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
    read = {ours: name for ours, name in names.items() if name in headers} | {name: name for name in of_classes}
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
    if "label" not in read:
        decided.add("label")
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


def _with_members(table: pd.DataFrame, source: Source, place: str, images: list[str]) -> pd.DataFrame:
    """Return `table` with the member that each path means, None where there is none.

    A path begins at the folder of the table. Where no image is found so, it is the end of an image's path, with or
    without the ending of its name, or begins in a folder above: so published tables name images.
    """
    folder = posixpath.dirname(place)
    members = {composed(name): name for name in source.names()}
    paths = table["path"].str.replace("\\", "/").map(posixpath.normpath).map(composed)
    found = paths.map(lambda path: members.get(posixpath.normpath(posixpath.join(composed(folder), path))))
    if found.isna().all():
        ends = _by_name(images)
        where = f"{place!r} in {source.where}"
        found = paths.map(lambda path: _one_that_ends(ends.get(posixpath.basename(path), []), path, where))
    return table.assign(member=found)


def _by_name(images: list[str]) -> dict[str, list[str]]:
    """Return `images` by their names with and without endings."""
    found: dict[str, list[str]] = {}
    for image in images:
        name = composed(posixpath.basename(image))
        for key in dict.fromkeys((name, posixpath.splitext(name)[0])):
            found.setdefault(key, []).append(image)
    return found


def _one_that_ends(images: list[str], path: str, where: str) -> str | None:
    """Return the one of `images` whose path ends in `path`, or that `path` ends in; None where there is none."""

    def is_end(image: str) -> bool:
        names = (composed(image), posixpath.splitext(composed(image))[0])
        return any(f"/{name}".endswith(f"/{path}") or f"/{path}".endswith(f"/{name}") for name in names)

    meant = list(filter(is_end, images))
    if len(meant) > 1:
        raise UserError(
            f"{where} lists {path!r}, which may be each of {' and '.join(map(repr, meant[:3]))}: leave the others out "
            "by `include` or `exclude`, or write whole paths"
        )
    return meant[0] if meant else None
