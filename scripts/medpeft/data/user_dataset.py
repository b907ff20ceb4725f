"""A user's own dataset, described by a few lines of the study: class folders, or a table of paths and labels."""

import hashlib
import json
import posixpath
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.redaction import fingerprint
from medpeft.base.tables import column_names
from medpeft.data.archives import Source
from medpeft.data.dataset import OWN, Archive, Dataset
from medpeft.data.labels import UNKNOWN, class_counts, in_words, is_multi_label
from medpeft.data.own.folders import between, folder_of, folders_of, refuse_other_spellings
from medpeft.data.own.groups import groups_by_pattern, note_doubts
from medpeft.data.own.images import find_own_images, masks_among
from medpeft.data.own.listed import COLUMNS, read_listed, tells_person
from medpeft.data.own.patterns import composed

WORDING = {"title": None, "licence": "not stated"}  # keys that change no image, and their defaults


def user_dataset(name: str, declared: dict[str, Any]) -> Dataset:
    """Return the dataset that the study declares under `datasets.<name>`; see schemas/study.schema.yaml for its keys.

    Its archive is `<name>.zip`: the folder, zip or address of the key `path`, else what the mirror holds of that name.
    """
    path = declared["path"]
    caveats = ["The classes and groups are those that the study declares."]
    if not declared["group"] and not declared["table"]:
        caveats.append("Patients are not declared: images of one patient can lie on both sides of a split.")
    caveats += _policies(declared)
    has_order = declared["task"] in ("ordinal", "multi-label")
    return Dataset(
        title=declared["title"] or name,
        archives=(Archive(f"{name}.zip", (path,) if path else ()),),
        index=partial(_index, declared, declared["title"] or name),
        counts=dict.fromkeys(declared["classes"]),
        licence=declared["licence"],
        access=OWN,
        citation="none: described by the study",
        caveats=tuple(caveats),
        frame=declared["frame"],
        labels=declared["task"],
        classes=tuple(declared["classes"]) if has_order else None,
        positive=declared["positive"],
        attributes=tuple(declared.get("attributes", ())),
        remedy=f"put a sound copy where the study's key datasets.{name}.path says, or name another place there"
        if path
        else f"put a sound {name}.zip, or a folder {name}, into the mirror",
    )


def _policies(declared: dict[str, Any]) -> list[str]:
    """Return in sentences what uncertain and missing labels count as, where a table has a column a class."""
    if declared["task"] != "multi-label" or declared["separator"]:
        return []
    words = {
        "ignore": "are left out of loss and scores",
        "positive": "count as positive",
        "negative": "count as negative",
    }
    return [f"Labels that are {key} {words[declared[key]]}." for key in ("uncertain", "missing")]


def _index(declared: dict[str, Any], title: str, source: Source) -> pd.DataFrame:
    """Return the images of a declared dataset; see `Dataset.index`. An image without a group is one of its own."""
    images = find_own_images(source, declared["include"], declared["exclude"])
    table = read_listed(source, declared, images) if declared["table"] else _in_folders(source, declared, images)
    table = _with_split(source, declared, table)
    _refuse_empty_classes(source, declared, table)
    source.losses.add("paired", *masks_among(table["member"].tolist(), declared["classes"]))
    image_id = _below_common_folder(table["member"].map(composed))
    group = _groups(source, declared, table, image_id)
    columns = {
        "image_id": image_id,
        "group_id": group.where(group != "", image_id),
        "label": table["label"],
        "caption": table["caption"] if "caption" in table else title + ", " + _in_words(table) + ".",
        "source_file": f"{source.path.name}/" + table["member"],
    }
    kept = dict.fromkeys(["split", "source", UNKNOWN, *declared.get("attributes", ())])
    columns |= {name: table[name] for name in kept if name in table}
    return pd.DataFrame(columns).sort_values("image_id", ignore_index=True)


def _in_words(table: pd.DataFrame) -> pd.Series:
    """Return the label of each image, or several of them, as a caption says it."""
    if not is_multi_label(table):
        return table["label"]
    return table["label"].map(in_words)


def _in_folders(source: Source, declared: dict[str, Any], images: list[str]) -> pd.DataFrame:
    """Return member and label of the `images` that lie in folders named after classes, at any depth."""
    if not declared["group"]:
        _refuse_unread_tables(source)
    labels = [folder_of(image, declared["classes"]) for image in images]
    outside = [image for image, label in zip(images, labels, strict=True) if label is None]
    refuse_other_spellings(folders_of(outside), declared["classes"], source.where)
    source.losses.add("outside", *outside)
    source.losses.add("between", *between(images, declared["classes"]))
    table = pd.DataFrame({"member": images, "label": pd.Series(labels, dtype=object)})
    return table.dropna(subset="label").reset_index(drop=True)


def _refuse_unread_tables(source: Source) -> None:
    """Refuse a table that lies among the images, is not read, and seems to tell their patients."""
    for member in source.losses.names("others"):
        if member.lower().endswith((".csv", ".tsv")):
            told = [name for name in column_names(source.head(member, 4096)) if tells_person(name)]
            if told:
                raise UserError(
                    f"{source.where} holds {member!r}, whose column {told[0]!r} is not read: name the file under "
                    "`table` in the study, or find patients by `group`; if it tells none, name it under `exclude`"
                )


def _with_split(source: Source, declared: dict[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with the published split, where the study says which folders tell it."""
    names = {folder: part for part, folder in declared["split"].items()}
    if not names:
        return table
    folders = table["member"].map(lambda member: folder_of(member, list(names)))
    outside = table.loc[folders.isna(), "member"]
    refuse_other_spellings(folders_of(outside), list(names), source.where)
    source.losses.add("outside", *outside)
    source.losses.add("between", *between(table["member"], names))
    table = table.assign(split=folders.map(names))
    return table.dropna(subset="split").reset_index(drop=True)


def _refuse_empty_classes(source: Source, declared: dict[str, Any], table: pd.DataFrame) -> None:
    """Refuse a class without images, and say what was lost, which may be why."""
    if lacking := [label for label in declared["classes"] if label not in class_counts(table)]:
        place = "in a row with the label" if declared["table"] else "in a folder named"
        raise UserError(
            f"{source.where} has no image {place} {lacking[0]!r}: correct `classes` of the dataset in the study, or "
            f"add the images{source.losses.aside()}"
        )


def _groups(source: Source, declared: dict[str, Any], table: pd.DataFrame, image_id: pd.Series) -> pd.Series:
    """Return the group of each image as the study's pattern or the table tells it, empty where none is known."""
    if declared["group"]:
        group = groups_by_pattern(declared["group"], image_id, source.where)
    elif "group" in table:
        group = table["group"]
    else:
        return pd.Series("", index=table.index)
    return note_doubts(group, image_id, source.losses)


def _below_common_folder(members: pd.Series) -> pd.Series:
    """Return `members` without the folders that all of them lie in."""
    folder = posixpath.commonpath(list(map(posixpath.dirname, members))) if len(members) else ""
    return members.map(lambda member: str(PurePosixPath(member).relative_to(folder or ".")))


def subfolder(declared: dict[str, Any] | None) -> str:
    """Return the end of a path by which data of this definition lie apart from others of one name.

    It is empty for a dataset that comes with the pipeline, of which nothing is `declared`.
    """
    if declared is None:
        return ""
    keys = decisive(declared) | {"path": fingerprint(declared["path"])}
    return "/" + hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()[:8]


def decisive(declared: dict[str, Any]) -> dict[str, Any]:
    """Return the declaration without its wording and attributes, so that jobs that do without do not depend on them."""
    kept = {key: value for key, value in declared.items() if key != "attributes"}
    names = {ours: name for ours, name in declared["columns"].items() if ours in COLUMNS}
    return kept | WORDING | {"columns": names}
