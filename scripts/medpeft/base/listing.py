"""What lies in a folder or a zip archive, by names with forward slashes, and what cannot be read, with the cause."""

import os
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from medpeft.base.errors import UserError

UTF8 = 0x800  # the flag of a zip's member whose name is in UTF-8
ENCRYPTED = 0x1
DEFLATE64 = 9
PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}  # ways that zipfile unpacks


def list_folder(top: Path) -> tuple[list[str], dict[str, str]]:
    """Return the sorted names of the files below `top`, and those of what cannot be read, each with its cause.

    Links are followed, also to folders, but not to a folder that they lie in.
    """
    files: list[str] = []
    broken: dict[str, str] = {}
    pending: list[tuple[Path, str, tuple[tuple[int, int], ...]]] = [(top, "", (_identity(top.stat()),))]
    while pending:
        folder, prefix, above = pending.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            broken[prefix.rstrip("/") or "."] = error.strerror or str(error)
            continue
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if cause := _cause(entry):
                broken[name.encode(errors="backslashreplace").decode()] = cause
            elif not entry.is_dir():
                files.append(name)
            elif (identity := _identity(entry.stat())) not in above:
                pending.append((Path(entry.path), f"{name}/", (*above, identity)))
    return sorted(files), dict(sorted(broken.items()))


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _cause(entry: os.DirEntry) -> str | None:
    """Return why `entry` can be neither read nor looked into under its name, or None."""
    try:
        entry.name.encode()
        mode = entry.stat().st_mode
    except UnicodeEncodeError:
        return "its name is not in UTF-8: rename it"
    except FileNotFoundError:
        return "a link without a target"
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return "neither a file nor a folder"
    return None if os.access(entry.path, os.R_OK) or stat.S_ISDIR(mode) else "Permission denied"


def packed_members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files in the zip `archive`, which lies at `path`, by their names.

    A backslash between folders, as some programs for Windows write it, is a slash. A name that is not said to be in
    UTF-8, but is, is taken as such: so the archiver of macOS writes it.

    Raises:
        UserError: A name leads out of the archive or is there twice, or a member is a link, encrypted, or packed in a
            way that cannot be unpacked here.
    """
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = _name(member)
        if fault := _fault(member, name):
            raise UserError(f"{path} is refused: its member {name!r} {fault}")
        if name in members and (members[name].CRC, members[name].file_size) != (member.CRC, member.file_size):
            raise UserError(f"{path} is refused: it holds {name!r} twice, with different content; pack it again")
        if not name.endswith("/"):
            members[name] = member
    return members


def _name(member: zipfile.ZipInfo) -> str:
    name = member.filename
    if not member.flag_bits & UTF8:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:  # as zipfile reads it
            name = member.filename
    return name.replace("\\", "/")


def _fault(member: zipfile.ZipInfo, name: str) -> str | None:
    if re.match(r"/|[A-Za-z]:", name) or ".." in name.split("/"):
        return "is a name that leads out of it; get a sound copy"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a symbolic link; get a sound copy, or unpack it and use the folder in its place"
    if member.flag_bits & ENCRYPTED:
        return "is encrypted; unpack it with its password and use the folder in its place"
    if member.compress_type not in PACKED:
        way = "Deflate64" if member.compress_type == DEFLATE64 else f"method {member.compress_type}"
        return f"is packed by {way}, which is not read here; unpack it and use the folder in its place"
    return None


def unclear_names(members: dict[str, zipfile.ZipInfo]) -> Iterator[str]:
    """Yield the names of `members` that are written in an encoding which the archive does not tell."""
    for name, member in members.items():
        if not member.flag_bits & UTF8 and member.filename.replace("\\", "/") == name and not name.isascii():
            yield name
