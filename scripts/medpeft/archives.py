"""Archives and folders read in place: nothing is unpacked, so nothing can be written outside its folder."""

import io
import json
import logging
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pandas as pd

from medpeft.errors import UserError

LINK = '{"folder": '  # how a file begins that stands for a folder elsewhere
# What zipfile raises for members that are cut, altered, encrypted or packed in a way that it does not know.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError, RuntimeError)


class Source:
    """A zip archive or a folder, seen as a set of named members with forward slashes in their names.

    A file that `link` wrote in place of an archive stands for the folder that it names. Any other file, such as a table
    that is published by itself, is its own only member. Raises `UserError` where a `path` that ends in `.zip` is no
    archive, or names a folder that is gone.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._zip = None
        self._folder = self.path if self.path.is_dir() else _linked(self.path)
        if self.path.suffix == ".zip" and not self._folder:
            try:
                self._zip = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, OSError) as error:
                raise UserError(
                    f"{self.path} is not a readable zip archive ({error}): delete it and run again to fetch it anew"
                ) from error

    def names(self) -> list[str]:
        """Return the sorted names of all members that are files."""
        if self._zip:
            return sorted(name for name in self._zip.namelist() if not name.endswith("/"))
        if not self._folder:
            return [self.path.name]
        return sorted(path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file())

    def read(self, name: str) -> bytes:
        """Return the content of the member `name`; a damaged or missing member is a `UserError`."""
        try:
            if self._zip:
                return self._zip.read(name)
            return (self._folder / name if self._folder else self.path).read_bytes()
        except _UNREADABLE as error:
            raise UserError(
                f"{self.path} holds no readable {name!r} ({error}): delete the archive and run again to fetch it anew"
            ) from error


def link(folder: Path, path: Path) -> None:
    """Write to `path`, where an archive is expected, that its content is the `folder`, which is then read in place."""
    path.write_text(json.dumps({"folder": str(folder.resolve())}) + "\n", encoding="utf-8")


def is_link(path: Path) -> bool:
    """Tell whether `path` is a file that `link` wrote."""
    if not path.is_file():
        return False
    with open(path, "rb") as stream:
        return stream.read(len(LINK)) == LINK.encode()


def _linked(path: Path) -> Path | None:
    """Return the folder that the file `path` stands for, or None; one that is gone is a `UserError`."""
    if not is_link(path):
        return None
    folder = Path(json.loads(path.read_text(encoding="utf-8"))["folder"])
    if not folder.is_dir():
        raise UserError(f"{path} stands for the folder {folder}, which is gone: delete the file and run again")
    return folder


def find_member(sources: Iterable[Source], name: str) -> tuple[Source, str] | None:
    """Return the first member called `name` (which may hold `*`), wherever in `sources` it lies, and its source."""
    return next((place for place in visible_members(sources) if fnmatch(Path(place[1]).name, name)), None)


def find_table(sources: Iterable[Source], name: str, columns: Iterable[str]) -> pd.DataFrame:
    """Return the CSV member called `name` (which may hold `*`), wherever in `sources` it lies.

    Every value is text, empty where there is none. Raises `UserError` where there is no such member, where it is no
    table, or where it lacks one of `columns`.
    """
    sources = list(sources)
    found = find_member(sources, name)
    if not found:
        raise UserError(
            f"there is no {name} in {', '.join(str(source.path) for source in sources)}: fetch the archive as it is "
            "published, with its tables"
        )
    source, member = found
    try:
        table = pd.read_csv(io.BytesIO(source.read(member)), dtype=str, keep_default_na=False)
    except ValueError as error:
        raise UserError(f"{member!r} in {source.path} is no table ({error}): fetch it anew") from error
    if missing := set(columns) - set(table.columns):
        raise UserError(
            f"{member!r} in {source.path} lacks the columns {', '.join(sorted(missing))}: fetch the published version"
        )
    return table


def find_images(sources: Iterable[Source], pattern: str) -> dict[str, str]:
    """Return the images in `sources`: the first group of the regular `pattern` to `<archive name>/<member>`.

    The pattern must match the part of a member's name that follows any leading folders. Of several members that give
    the same key, the first in the order of their names is taken.
    """
    matcher = re.compile(f"(?:.*/)?{pattern}", re.IGNORECASE)
    found = {}
    for source, member in visible_members(sources):
        if match := matcher.fullmatch(member):
            found.setdefault(match[1], f"{source.path.name}/{member}")
    return found


def with_images(table: pd.DataFrame, images: dict[str, str]) -> pd.DataFrame:
    """Return the rows of `table` whose `image_id` is among `images`, sorted by it, with that place as `source_file`.

    The images that are missing are counted and listed in the log.
    """
    table = table.assign(source_file=table["image_id"].map(images))
    missing = table.loc[table["source_file"].isna(), "image_id"]
    if len(missing):
        names = ", ".join(sorted(missing))
        logging.warning("%d of %d images are missing and left out: %s", len(missing), len(table), names)
    return table.dropna(subset="source_file").sort_values("image_id", ignore_index=True)


def visible_members(sources: Iterable[Source]) -> Iterator[tuple[Source, str]]:
    """Yield the members of all `sources` but for those that macOS adds to its archives."""
    for source in sources:
        for member in source.names():
            if not member.startswith("__MACOSX/") and not Path(member).name.startswith("._"):
                yield source, member
