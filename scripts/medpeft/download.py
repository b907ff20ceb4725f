"""Archives as their publishers offer them: from a mirror if the study names one, else from the published addresses."""

import hashlib
import logging
import re
import shutil
import time
import zipfile
from pathlib import Path

import pooch
import requests

from medpeft.archives import is_link, link
from medpeft.datasets.registry import Archive
from medpeft.errors import UserError
from medpeft.files import replacing

ATTEMPTS = 3  # per address, with a growing pause between them; a refusal (HTTP 4xx) is not tried again
PAUSE = 2.0  # seconds before the second attempt
TIMEOUT = 30  # seconds without any answer
CHUNK = 2**20  # bytes
RESERVE = 2**26  # bytes that stay free on the disk
WEB = re.compile(r"https?://")
HTML = re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)


class Unfit(Exception):
    """One address did not give the file, and why; the next one is tried."""


def fetch(
    archive: Archive,
    dataset: str,
    path: Path,
    mirror: str | None = None,
    checksum: str | None = None,
    access: str | None = None,
) -> None:
    """Put `archive` at `path`, complete and checked, or leave nothing there.

    A simulated archive is generated. Any other comes from `mirror` (a folder or base URL that holds it under its name,
    there or in a subfolder `dataset`) or from the publisher's addresses: the first that gives a file with the right
    `checksum` (else the archive's own one; `sha256:<hex>` or `md5:<hex>`) that is a sound zip where its name says so.
    A mirror folder may also hold a zip unpacked, as a folder of its name without `.zip`: that is read in place, its
    `path` only naming it, and has no checksum. An address may be a file or folder on this machine too.

    Raises `UserError` naming every address and its reason if none does, and how the dataset is obtained (`access`), if
    the mirror is a folder that does not exist, or if the disk is too full.
    """
    with replacing(path) as temporary:
        if archive.generate:
            archive.generate(temporary)
        else:
            places = mirrored(archive.name, dataset, mirror)
            places += [*_unpacked(archive.name, places), *map(_place, archive.urls)]
            _fetch_first(archive.name, places, temporary, checksum or archive.checksum, access)


def _fetch_first(name: str, places: list[str | Path], path: Path, checksum: str | None, access: str | None) -> None:
    reasons = []
    for place in places:
        logging.info("%s: trying %s", name, place)
        try:
            retrieve(place, path)
            _check(path, name, checksum)
        except Unfit as reason:
            logging.warning("%s: %s", place, reason)
            reasons.append(f"{place}: {reason}")
        else:
            logging.info("%s: %d bytes from %s", name, path.stat().st_size, place)
            return
    how = f" access: {access};" if access else ""
    raise UserError(
        f"{name} could not be fetched ({'; '.join(reasons) or 'it has no public address'}):{how} "
        f"put a sound copy as {name} into the folder that the study's key `mirror` names (or --config mirror=FOLDER)"
    )


def mirrored(name: str, folder: str, mirror: str | None) -> list[str | Path]:
    """Return where `mirror` may hold the file `name`: at its top or in its subfolder `folder`.

    Raises `UserError` where the mirror is a folder that does not exist.
    """
    if mirror is None:
        return []
    if WEB.match(mirror):
        return [f"{mirror.rstrip('/')}/{part}" for part in (name, f"{folder}/{name}")]
    top = Path(mirror).expanduser()
    if not top.is_dir():
        raise UserError(
            f"the study's key `mirror` names {mirror!r}, which is no folder here and no http(s) address: "
            "correct it, or leave it out to fetch from the publishers"
        )
    return [top / name, top / folder / name]


def retrieve(place: str | Path, path: Path) -> None:
    """Copy one file of the mirror, or download one address, to `path`; raise `Unfit` where that cannot be done."""
    if isinstance(place, str):
        _download(place, path)
    elif place.is_dir():
        link(place, path)
    elif not place.is_file():
        raise Unfit("there is no such file")
    else:
        _require_space(path, place.stat().st_size)
        shutil.copyfile(place, path)


def _unpacked(name: str, places: list[str | Path]) -> list[Path]:
    """Return the folders that hold the content of the zip `name`, which may be at `places`.

    A folder named after a dataset may hold the zip itself instead: that is no content.
    """
    if not name.endswith(".zip"):
        return []
    folders = [place.with_suffix("") for place in places if isinstance(place, Path)]
    return [folder for folder in folders if folder.is_dir() and not (folder / name).exists()]


def _place(address: str) -> str | Path:
    return address if WEB.match(address) else Path(address).expanduser()


def _download(url: str, path: Path) -> None:
    """Download `url` to `path`; interruptions and servers' failures are tried again, refusals are not."""
    downloader = pooch.HTTPDownloader(progressbar=_Progress(url, path), chunk_size=CHUNK, timeout=TIMEOUT)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return downloader(url, str(path), None)
        except requests.RequestException as error:
            refused = error.response is not None and error.response.status_code < 500
            if refused or attempt == ATTEMPTS:
                raise Unfit(_reason(error)) from error
            logging.warning("%s: attempt %d of %d: %s", url, attempt, ATTEMPTS, _reason(error))
            time.sleep(PAUSE * attempt)


def _reason(error: requests.RequestException) -> str:
    """Return in a few words why a request failed."""
    if error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    kinds = {
        requests.exceptions.SSLError: "no secure connection (TLS)",
        requests.Timeout: f"no answer within {TIMEOUT} s",
        requests.exceptions.ChunkedEncodingError: "the connection broke off",
        requests.ConnectionError: "no connection",
    }
    return next((words for kind, words in kinds.items() if isinstance(error, kind)), str(error))


class _Progress:
    """A progress bar for `pooch.HTTPDownloader` that writes to the log and refuses a size that the disk cannot hold."""

    def __init__(self, url: str, path: Path):
        self._url, self._path, self._total = url, path, 0
        self.reset()

    @property
    def total(self) -> int:
        return self._total

    @total.setter
    def total(self, size: int) -> None:
        _require_space(self._path, size)
        self._total = size
        self.reset()

    def update(self, size: int) -> None:
        self._done += size
        if self._total and self._done >= self._next and self._done < self._total:
            logging.info("%s: %d %% of %s", self._url, 100 * self._done // self._total, _readable(self._total))
            self._next = self._done + self._total / 10

    def reset(self) -> None:
        self._done, self._next = 0, self._total / 10

    def close(self) -> None:
        """There is nothing to close."""


def _check(path: Path, name: str, checksum: str | None) -> None:
    """Refuse a file at `path` that is not the archive `name`; a folder elsewhere is taken as it is."""
    if is_link(path):
        return
    with open(path, "rb") as stream:
        page = HTML.match(stream.read(512))
    if page and not name.endswith(".html"):
        raise Unfit("it gave a web page, as for a login or an error, in place of the archive")
    if checksum:
        kind, _, expected = checksum.partition(":")
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, kind).hexdigest()
        if found != expected:
            raise Unfit(
                f"its {kind} is {found} but {expected} is expected, so it is damaged or another version (if you trust "
                f"it, set `checksums: {{{name}: {kind}:{found}}}` in the study)"
            )
    if name.endswith((".zip", ".npz")):
        try:
            with zipfile.ZipFile(path) as archive:
                archive.infolist()
        except zipfile.BadZipFile as error:
            raise Unfit(f"what it gave is not a whole zip archive ({error})") from error


def _require_space(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < size + RESERVE:
        raise UserError(
            f"the disk that holds {path.parent} has {_readable(free)} free but {_readable(size)} are to be fetched: "
            "free some space, or move the data folder, and run again"
        )


def _readable(size: int) -> str:
    """Return `size` bytes in megabytes."""
    return f"{size / 1e6:,.0f} MB"
