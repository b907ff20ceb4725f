"""Archives and folders read in place: nothing is unpacked, so nothing can be written outside its folder."""

import zipfile
import zlib
from pathlib import Path

from medpeft.errors import UserError

# What zipfile raises for members that are cut, altered, encrypted or packed in a way that it does not know.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError, RuntimeError)


class Source:
    """A zip archive or a folder, seen as a set of named members with forward slashes in their names.

    Raises `UserError` where `path` is neither.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._zip = None
        if not self.path.is_dir():
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
        return sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file())

    def read(self, name: str) -> bytes:
        """Return the content of the member `name`; a damaged or missing member is a `UserError`."""
        try:
            return self._zip.read(name) if self._zip else (self.path / name).read_bytes()
        except _UNREADABLE as error:
            raise UserError(
                f"{self.path} holds no readable {name!r} ({error}): delete the archive and run again to fetch it anew"
            ) from error
