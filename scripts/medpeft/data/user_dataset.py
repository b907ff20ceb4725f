"""A user's own dataset, described by a few lines of the study: class folders, or a table of paths and labels."""

import hashlib
import json
import logging
import posixpath
import re
import unicodedata
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.redaction import fingerprint
from medpeft.data.archives import Source, find_member, find_table, visible_members
from medpeft.data.dataset import Archive, Dataset

WORDING = {"title": None, "licence": "not stated"}  # keys that change no image, and their defaults
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".dcm", ".dicom"}


def user_dataset(name: str, declared: dict[str, Any]) -> Dataset:
    """Return the dataset that the study declares under `datasets.<name>`; see schemas/study.schema.yaml for its keys.

    Its archive is `<name>.zip`: the folder, zip or address of the key `path`, else what the mirror holds of that name.
    """
    title = declared["title"] or name
    index = partial(_table, declared, title) if declared["table"] else partial(_folders, declared, title)
    return Dataset(
        title=title,
        archives=(Archive(f"{name}.zip", (declared["path"],) if declared["path"] else ()),),
        index=index,
        counts=dict.fromkeys(declared["classes"]),
        licence=declared["licence"],
        access="your own",
        citation="none: described by the study",
        caveats=("The classes and groups are those that the study declares.",),
        frame=declared["frame"],
        remedy="put a sound copy in its place",
    )


def check_pattern(pattern: str) -> str | None:
    """Return what is wrong with a regular expression for groups, or None."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        return f"it is no regular expression ({error})"
    return None if groups else "it has no parentheses around what tells the patient in the name"


def _folders(declared: dict[str, Any], title: str, source: Source) -> pd.DataFrame:
    """Return the images that lie in folders named after classes, at any depth; see `Dataset.index`."""
    members = [name for _, name in visible_members([source])]
    images = [name for name in members if _is_image(source, name)]
    labels = [_label(name, declared["classes"]) for name in images]
    table = pd.DataFrame({"member": images, "label": pd.Series(labels, dtype=object)})
    outside = table["label"].isna()
    if len(members) > len(images) or outside.any():
        logging.warning(
            "%s: %d files are no images and %d images lie in no folder of a class; they are left out",
            *(source.path, len(members) - len(images), outside.sum()),
        )
    table = table[~outside]
    if lacking := [label for label in declared["classes"] if label not in set(table["label"])]:
        raise UserError(
            f"{source.path} has no image in a folder named {lacking[0]!r}: correct `classes` of the dataset in the "
            "study, which name the folders, or add the images"
        )
    return _index(table, declared, title, source)


def _is_image(source: Source, member: str) -> bool:
    """Tell by its name whether a member is an image; DICOM files that have none of its names tell it themselves."""
    suffix = PurePosixPath(member).suffix.lower()
    if suffix and not suffix[1:].isdigit():  # IM0001, and 1.2.840.113619 as scanners name files
        return suffix in IMAGE_SUFFIXES
    return source.read(member)[128:132] == b"DICM"


def _label(member: str, classes: list[str]) -> str | None:
    """Return the innermost folder of `member` that is one of `classes`."""
    known = {_composed(label): label for label in classes}
    folders = reversed(PurePosixPath(_composed(member)).parts[:-1])
    return next((known[folder] for folder in folders if folder in known), None)


def _composed(name: str) -> str:
    """Return `name` with letters and accents as one character each: macOS writes them as two, others as one."""
    return unicodedata.normalize("NFC", name)


def _table(declared: dict[str, Any], title: str, source: Source) -> pd.DataFrame:
    """Return the images that a table lists, with paths from the folder in which it lies; see `Dataset.index`."""
    table = find_table([source], declared["table"], ["path", "label"])
    found = find_member([source], declared["table"])
    place = found[1] if found else declared["table"]
    where = f"{place!r} in {source.path}"
    if len(table) == 0:
        raise UserError(f"{where} lists no image: add rows with path and label")
    unknown = table.loc[~table["label"].isin(declared["classes"]), "label"]
    if len(unknown):
        raise UserError(
            f"{where} has {len(unknown)} rows whose label, such as {unknown.iloc[0]!r}, is none of the dataset's "
            "classes: correct them, or add the class to the study"
        )
    given = table["path"].str.replace("\\", "/")
    paths = given.map(lambda path: _composed(posixpath.normpath(posixpath.join(posixpath.dirname(place), path))))
    members = paths.map({_composed(name): name for name in source.names()})
    missing = table.loc[members.isna(), "path"]
    if len(missing):
        raise UserError(
            f"{where} lists {len(missing)} paths that are no files there, such as {missing.iloc[0]!r}: paths start at "
            "the folder of the table and stay within the dataset"
        )
    if members.duplicated().any():
        raise UserError(f"{where} lists {table.loc[members.duplicated(), 'path'].iloc[0]!r} twice: delete one row")
    return _index(table.assign(member=members), declared, title, source)


def _index(table: pd.DataFrame, declared: dict[str, Any], title: str, source: Source) -> pd.DataFrame:
    """Return the index of `table`, which has member, label and any of group, caption, split and source.

    An image whose group is empty is a group of its own.
    """
    image_id = _below_common_folder(table["member"].map(_composed))
    group = table["group"] if "group" in table else pd.Series("", index=table.index)
    if declared["group"]:
        group = table["member"].map(partial(_group, declared["group"]))
        if unmatched := int((group == "").sum()):
            logging.warning(
                "%s: %d names do not match the pattern of `group`; each such image is a group of its own, such as %s",
                *(source.path, unmatched, table["member"][group == ""].iloc[0]),
            )
    caption = table["caption"] if "caption" in table else title + ", " + table["label"] + "."
    columns = {
        "image_id": image_id,
        "group_id": group.where(group != "", image_id),
        "label": table["label"],
        "caption": caption,
        "source_file": f"{source.path.name}/" + table["member"],
    }
    columns |= {name: table[name] for name in ("split", "source") if name in table}
    return pd.DataFrame(columns).sort_values("image_id", ignore_index=True)


def _group(pattern: str, member: str) -> str:
    match = re.search(pattern, PurePosixPath(member).name)
    return (match and match[1]) or ""


def _below_common_folder(members: pd.Series) -> pd.Series:
    """Return `members` without the folders that all of them lie in."""
    folder = posixpath.commonpath(list(map(posixpath.dirname, members))) if len(members) else ""
    return members.map(lambda member: str(PurePosixPath(member).relative_to(folder or ".")))


def definition(declared: dict[str, Any]) -> str:
    """Return what tells the data of this dataset from those of another one of its name."""
    keys = decisive(declared) | {"path": fingerprint(declared["path"])}
    return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()[:8]


def decisive(declared: dict[str, Any]) -> dict[str, Any]:
    """Return the declaration without its wording, so that jobs which do not show that do not depend on it."""
    return declared | WORDING
