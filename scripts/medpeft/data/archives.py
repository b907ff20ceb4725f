"""Archives and folders read in place: nothing is unpacked, so nothing can be written outside its folder."""

import io
import json
import lzma
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.base.listing import list_folder, packed_members, unclear_names
from medpeft.base.losses import Losses
from medpeft.base.tables import parse_table
from medpeft.base.unpacking import ungzipped

FETCH_AGAIN = "delete the archive and run again to fetch another"
MEND_FILE = "put a sound copy in its place"  # of a file in a folder
LINK_START = '{"folder": '  # how a file begins that stands for a folder elsewhere
SYSTEM_FOLDERS = ("__MACOSX", "@eaDir")  # folders that macOS and Synology fill with files named like those beside them
LARGEST_MEMBER = 2**30  # bytes of a member when unpacked; larger ones are taken for a bomb
LARGEST_TABLE = 2**27  # bytes of a table when unpacked
MOST_ROWS = 5_000_000  # lines of a table: each takes some hundred bytes of memory, however short
# What zipfile raises for members that are cut, altered, encrypted or packed in a way that it does not know.
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError)
_UNREADABLE = (*_DAMAGED, KeyError, OSError, RuntimeError, ValueError)


class Source:
    """A zip archive or a folder, seen as a set of named members with forward slashes in their names.

    A file that `link` wrote in place of an archive stands for the folder that it names. In a NumPy archive (`.npz`)
    each image of an array `<name>_images` (N, H, W) or (N, H, W, 3) is a member, `<name>_images/000012.npy`. Any other
    file, such as a table that is published by itself, is its own only member. Links within a folder are followed.

    Args:
        path: Of the archive or folder.
        remedy: What to do about an archive that cannot be used, for messages.

    Attributes:
        losses: What of its content is not used; who lists images adds to it.

    Raises:
        UserError: A `path` that ends in `.zip` or `.npz` is no archive, or one that cannot be unpacked here; a member's
            name leads out of it or is there twice; a member is a symbolic link; or the folder that is named is gone.
    """

    def __init__(self, path: str | Path, remedy: str = FETCH_AGAIN):
        self.path, self.remedy, self.losses = Path(path), remedy, Losses()
        self._zip, self._stacks = None, {}
        self._packed: dict[str, zipfile.ZipInfo] = {}
        self._folder = self.path if self.path.is_dir() else _linked(self.path)
        if self._folder:
            self.remedy = MEND_FILE
        if self.path.suffix in (".zip", ".npz") and not self._folder:
            try:
                self._zip = zipfile.ZipFile(self.path)
                if self.path.suffix == ".npz":
                    self._stacks = _stacks(self._zip)
            except _UNREADABLE as error:
                raise UserError(f"{self.path} is not a readable zip archive ({error}): {remedy}") from error
            self._packed = packed_members(self.path, self._zip)

    @property
    def where(self) -> str:
        """Where the members lie, for messages: the archive, or the folder that is read in its place."""
        return str(self._folder or self.path)

    def names(self) -> list[str]:
        """Return the sorted names of all members that are files and can be listed."""
        return self._listed[0]

    def broken(self) -> dict[str, str]:
        """Return what lies in a folder and cannot be listed or read under its name, with the cause."""
        return self._listed[1]

    @cached_property
    def _listed(self) -> tuple[list[str], dict[str, str]]:
        if self._zip:
            plain = [name for name in self._packed if name not in self._stacks]
            stacks = ((Path(name).stem, range(len(stack))) for name, stack in self._stacks.items())
            return sorted(plain + [f"{name}/{number:06d}.npy" for name, numbers in stacks for number in numbers]), {}
        return list_folder(self._folder) if self._folder else ([self.path.name], {})

    def unclear(self) -> list[str]:
        """Return the names of members of a zip whose letters are a guess, for it does not tell their encoding."""
        return sorted(unclear_names(self._packed))

    def read(self, name: str) -> bytes:
        """Return the content of the member `name`; a damaged, missing or outsized member is a `UserError`."""
        array, _, number = name.partition("/")
        try:
            if stack := self._stacks.get(f"{array}.npy"):
                return stack.read(int(number.removesuffix(".npy")))
            if self._zip:
                _refuse_bomb(self._packed[name])
                return self._zip.read(self._packed[name])
            return (self._folder / name if self._folder else self.path).read_bytes()
        except _UNREADABLE as error:
            raise self._unreadable(name, error) from error

    def head(self, name: str, count: int) -> bytes:
        """Return the first `count` bytes of the member `name`, which is no array; errors are those of `read`."""
        try:
            if self._zip:
                with self._zip.open(self._packed[name]) as stream:
                    return stream.read(count)
            with open(self._folder / name if self._folder else self.path, "rb") as file:
                return file.read(count)
        except _UNREADABLE as error:
            raise self._unreadable(name, error) from error

    def _unreadable(self, name: str, error: Exception) -> UserError:
        reason = "there is no such member" if isinstance(error, KeyError) else error
        return UserError(f"{self.where} holds no readable {name!r} ({reason}): {self.remedy}")


def _refuse_bomb(member: zipfile.ZipInfo) -> None:
    if member.file_size > LARGEST_MEMBER:
        raise ValueError(f"unpacked it would have {member.file_size:,} bytes")


class _Stack:
    """The images of one array in an npz, read one by one: memory holds one, and going back reads from the start."""

    def __init__(self, archive: zipfile.ZipFile, member: str):
        self._archive, self._member = archive, member
        self._rewind()

    def _rewind(self) -> None:
        self._stream, self._next = self._archive.open(self._member), 0
        version = np.lib.format.read_magic(self._stream)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        self.shape, column_major, self._type = read_header[version](self._stream)
        if column_major or self._type != np.uint8:
            self.shape = ()
        self._bytes = math.prod(self.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, number: int) -> bytes:
        """Return the image `number` as NumPy saves an array."""
        if not 0 <= number < len(self):
            raise ValueError(f"there are {len(self)} images")
        if number < self._next:
            self._rewind()
        while self._next < number:
            self._stream.read(self._bytes)
            self._next += 1
        content = self._stream.read(self._bytes)
        self._next += 1
        image = io.BytesIO()
        np.save(image, np.frombuffer(content, np.uint8).reshape(self.shape[1:]))
        return image.getvalue()


def _stacks(archive: zipfile.ZipFile) -> dict[str, _Stack]:
    """Return the arrays of images in an npz by the names of their members."""
    stacks = {name: _Stack(archive, name) for name in archive.namelist() if name.endswith("_images.npy")}
    return {name: stack for name, stack in stacks.items() if len(stack.shape) >= 3}


def link(folder: Path, path: Path) -> None:
    """Write to `path`, where an archive is expected, that its content is the `folder`, which is then read in place."""
    path.write_text(json.dumps({"folder": str(folder.resolve())}) + "\n", encoding="utf-8")


def is_link(path: Path) -> bool:
    """Tell whether `path` is a file that `link` wrote."""
    if not path.is_file():
        return False
    with open(path, "rb") as stream:
        return stream.read(len(LINK_START)) == LINK_START.encode()


def _linked(path: Path) -> Path | None:
    """Return the folder that the file `path` stands for, or None; one that is gone is a `UserError`."""
    if not is_link(path):
        return None
    folder = Path(json.loads(path.read_text(encoding="utf-8"))["folder"])
    if not folder.is_dir():
        raise UserError(f"{path} stands for the folder {folder}, which is gone: delete the file and run again")
    return folder


def find_member(sources: Iterable[Source], name: str) -> tuple[Source, str] | None:
    """Return the member called `name` (which may hold `*`), wherever in `sources` it lies, and its source.

    Of several with the same content, the first is taken.

    Raises:
        UserError: There are several with different content.
    """
    places = [place for place in visible_members(sources) if fnmatch(Path(place[1]).name, name)]
    if len(places) > 1 and len({_unpacked(*place) for place in places}) > 1:
        names = " and ".join(f"{member!r} in {source.where}" for source, member in places)
        raise UserError(f"{name} may be each of {names}, which differ: leave only the one there that is meant")
    return places[0] if places else None


def find_table(sources: Iterable[Source], name: str, columns: Iterable[str]) -> pd.DataFrame:
    """Return the CSV member called `name` (which may hold `*`), wherever in `sources` it lies, unpacked if it is gzip.

    Every value is text, empty where there is none.

    Raises:
        UserError: There is no such member or several that differ, it is no table, or it lacks one of `columns`.
    """
    sources = list(sources)
    found = find_member(sources, name)
    if not found:
        raise UserError(
            f"there is no {name} in {', '.join(str(source.path) for source in sources)}: name a table that is there, "
            "or fetch the archive as it is published, with its tables"
        )
    source, member = found
    table = read_member_table(source, member)
    if missing := set(columns) - set(table.columns):
        raise UserError(
            f"{member!r} in {source.where} lacks the columns {', '.join(sorted(missing))}: add them, or fetch the "
            "published version"
        )
    return table


def read_member_table(source: Source, member: str) -> pd.DataFrame:
    """Return the table in a member of `source`, whose losses tell where its encoding was assumed."""
    table, assumed = parse_table(_unpacked(source, member), f"{member!r} in {source.where}", source.remedy)
    if assumed:
        source.losses.add("recoded", member)
    return table


def _unpacked(source: Source, member: str) -> bytes:
    """Return the content of `member`, a table, unpacked if it is gzip."""
    content = source.read(member)
    try:
        content = ungzipped(content, LARGEST_TABLE) if member.endswith(".gz") else content
        if content.count(b"\n") > MOST_ROWS:
            raise ValueError(f"it has more than {MOST_ROWS:,} lines")
        return content
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise UserError(f"{member!r} in {source.where} is no table ({error}): {source.remedy}") from error


def columns_in(table: pd.DataFrame, names: Mapping[str, str]) -> dict[str, pd.Series]:
    """Return columns of `table` under our names, from ours to theirs; one that a copy of it lacks is empty."""
    return {ours: table.get(theirs, pd.Series("", index=table.index)) for ours, theirs in names.items()}


def find_images(sources: Iterable[Source], pattern: str) -> dict[str, str]:
    """Return the images in `sources`: the first group of the regular `pattern` to `<archive name>/<member>`.

    The pattern must match a member's name after any leading folders. Of several members that give the same key, the
    first in the order of their names is taken.
    """
    matcher = re.compile(f"(?:.*/)?{pattern}", re.IGNORECASE)
    found: dict[str, str] = {}
    for source, member in visible_members(sources):
        if match := matcher.fullmatch(member):
            found.setdefault(match[1], f"{source.path.name}/{member}")
    return found


def with_images(table: pd.DataFrame, images: dict[str, str], source: Source) -> pd.DataFrame:
    """Return the rows of `table` whose `image_id` is among `images`, sorted by it, with that place as `source_file`.

    The images that are missing are added to the losses of `source`.
    """
    table = table.assign(source_file=table["image_id"].map(images))
    source.losses.add("missing", *sorted(table.loc[table["source_file"].isna(), "image_id"]))
    return table.dropna(subset="source_file").sort_values("image_id", ignore_index=True)


def visible_members(sources: Iterable[Source]) -> Iterator[tuple[Source, str]]:
    """Yield the members of all `sources` that are not hidden: what macOS, NAS and notebooks add lies in such places."""
    for source in sources:
        yield from ((source, member) for member in source.names() if is_visible(member))


def is_visible(member: str) -> bool:
    """Return whether neither `member` nor a folder that it lies in is hidden."""
    return not any(name.startswith(".") or name in SYSTEM_FOLDERS for name in member.split("/"))
