"""What the folders of an image say of it: its class, and its part of the published split."""

import posixpath
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from medpeft.base.errors import UserError
from medpeft.data.own.patterns import composed


def folder_of(member: str, names: Iterable[str]) -> str | None:
    """Return the innermost folder of `member` that is one of `names`, as it stands there, or None."""
    known = {composed(name): name for name in names}
    folders = reversed(PurePosixPath(composed(member)).parts[:-1])
    return next((known[folder] for folder in folders if folder in known), None)


def between(members: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return those of `members` that lie in folders of two of `names`, below the folder that all of them lie in."""
    known, members = set(map(composed, names)), list(members)
    shared = len(PurePosixPath(posixpath.commonpath([posixpath.dirname(member) for member in members] or [""])).parts)
    return [
        member for member in members if len(known.intersection(PurePosixPath(composed(member)).parts[shared:-1])) > 1
    ]


def refuse_other_spellings(found: Iterable[str], names: list[str], where: str) -> None:
    """Refuse what is one of `names` but for case, spaces, hyphens and underscores: half of a class would be lost.

    Args:
        found: Names of folders, or labels of a table.
        names: The classes, or the folders of a split.
        where: What holds them, for the message.
    """
    known = {composed(name) for name in names}
    spelt = {_letters(name): name for name in names}
    for other in sorted({composed(name) for name in found} - known):
        if meant := spelt.get(_letters(other)):
            raise UserError(
                f"{where} has {other!r} where the study says {meant!r}: write both in one way, or leave its files out "
                "by `exclude`"
            )


def folders_of(members: Iterable[str]) -> set[str]:
    """Return the names of all folders that `members` lie in."""
    return {folder for parent in {member.rpartition("/")[0] for member in members} for folder in parent.split("/")}


def _letters(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", composed(name)).strip().casefold()
