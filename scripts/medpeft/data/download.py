"""Archives as their publishers offer them: from a mirror if the study names one, else from the published addresses."""

import hashlib
import logging
import re
import shutil
import time
import zipfile
from pathlib import Path

import requests

from medpeft.base.errors import UserError
from medpeft.base.files import replacing
from medpeft.data.archives import is_link, link
from medpeft.data.registry import Archive

ATTEMPTS = 4  # per address, as long as none brings a byte; a refusal (HTTP 4xx but 408 and 429) is not tried again
PAUSE = 2.0  # seconds before the second attempt, doubled before each further one
LONGEST_PAUSE = 120.0  # seconds, also where a server asks for more
TIMEOUT = 30  # seconds without any answer
CHUNK = 2**18  # bytes; what a broken connection can cost
RESERVE = 2**26  # bytes that stay free on the disk
WEB = re.compile(r"https?://")
KAGGLE = re.compile(r"kaggle:(?P<kind>datasets|competitions)/(?P<name>[\w./-]+)")
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
    listing: Path | None = None,
) -> None:
    """Put `archive` at `path`, complete and checked, or leave nothing there.

    A simulated archive is generated. Any other comes from `mirror` (a folder or base URL that holds it under its name,
    there or in a subfolder `dataset`) or from the publisher's addresses: the first that gives a file with the right
    `checksum` (else the archive's own one; `sha256:<hex>` or `md5:<hex>`) that is a sound zip where its name says so.
    A mirror folder may also hold a zip unpacked, as a folder of its name without `.zip`: that is read in place, its
    `path` only naming it, and has no checksum. An address may be a file or folder on this machine too. Last, an archive
    of files that are scattered over the web is collected from the links in the file `listing`.

    Raises `UserError` naming every address and its reason if none does, and how the dataset is obtained (`access`), if
    the mirror is a folder that does not exist, or if the disk is too full.
    """
    with replacing(path) as temporary:
        if archive.generate:
            return archive.generate(temporary)
        places = mirrored(archive.name, dataset, mirror)
        places += [*_unpacked(archive.name, places), *map(_place, archive.urls)]
        reasons = _fetch_first(archive.name, places, temporary, checksum or archive.checksum)
        if reasons and archive.links:
            from medpeft.data.scattered import collect

            reasons = collect(archive.links(listing), temporary, path.with_suffix(".links"))
        if reasons:
            how = f" access: {access};" if access else ""
            raise UserError(
                f"{archive.name} could not be fetched ({'; '.join(reasons)}):{how} put a sound copy as {archive.name} "
                "into the folder that the study's key `mirror` names (or --config mirror=FOLDER)"
            )
    for place in filter(_is_web, places):  # what a broken download from another address had brought
        _forget(_partial(path, place))


def _fetch_first(name: str, places: list[str | Path], path: Path, checksum: str | None) -> list[str]:
    """Put the first sound file of `places` at `path`; return no reasons, or why none of them has one."""
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
            return []
    return reasons or ["it has no public address"]


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
    """Copy one file of the mirror, or download one address, to `path`; raise `Unfit` where that cannot be done.

    What a download that broke off has brought stays beside `path`, and the next one of that address goes on from there.
    """
    if isinstance(place, str):
        if KAGGLE.match(place):
            _from_kaggle(place, path)
        else:
            download(place, path)
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
    return address if WEB.match(address) or KAGGLE.match(address) else Path(address).expanduser()


def _from_kaggle(address: str, path: Path) -> None:
    """Fetch `address` by Kaggle's own client, which unpacks it in its cache, resumes, and finds the user's token."""
    import kagglehub
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

    kind, name = KAGGLE.fullmatch(address).group("kind", "name")
    get = {"datasets": kagglehub.dataset_download, "competitions": kagglehub.competition_download}[kind]
    try:
        link(Path(get(name)), path)
    except (requests.RequestException, UnauthenticatedError, DataCorruptionError, ValueError) as error:
        response = getattr(error, "response", None)
        status = response.status_code if response is not None else None
        if status in (401, 403) or isinstance(error, UnauthenticatedError):
            rules = f", and accept the rules at https://www.kaggle.com/c/{name}/rules" * (kind == "competitions")
            reason = (
                f"Kaggle refuses it{f' (HTTP {status})' if status else ''}: make an account and a token, and keep it "
                f"in ~/.kaggle/kaggle.json{rules}"
            )
            raise Unfit(reason) from error
        words = _reason(error) if isinstance(error, requests.RequestException) else " ".join(str(error).split())
        raise Unfit(words) from error


def download(url: str, path: Path, attempts: int = ATTEMPTS) -> None:
    """Download `url` to `path`; interruptions and servers' failures are tried again, refusals are not.

    Raises `Unfit` after as many `attempts` in a row that brought nothing.
    """
    partial, failures = _partial(path, url), 0
    while True:
        before = _size(partial)
        try:
            _stream(url, partial)
        except requests.RequestException as error:
            failures = 1 if _size(partial) > before else failures + 1
            if _refused(error) or failures >= attempts:
                if _refused(error) or not _validator(partial).exists():  # there is no going on from there
                    _forget(partial)
                raise Unfit(_reason(error)) from error
            pause = _pause(error, failures)
            logging.warning("%s: %s; trying again in %.0f s", url, _reason(error), pause)
            time.sleep(pause)
        else:
            partial.replace(path)
            return _forget(partial)


def _stream(url: str, partial: Path) -> None:
    """Bring the rest of `url` into the file `partial`, or all of it where the server cannot give a part or it changed.

    A part is only asked for with what tells the file's version (ETag, else its date), as the server first sent it.
    """
    have, validator = _size(partial), _validator(partial)
    headers = {"Accept-Encoding": "identity", "User-Agent": "medpeft"}
    if have and validator.exists():
        headers |= {"Range": f"bytes={have}-", "If-Range": validator.read_text(encoding="utf-8")}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:  # the part that is here is no beginning of the file
            _forget(partial)
            raise requests.ConnectionError("the part that was there does not belong to the file")
        answer.raise_for_status()
        goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if answer.status_code == 206 and not goes_on:
            _forget(partial)
            raise requests.ConnectionError("the server gave another part than was asked for")
        size = int(answer.headers.get("Content-Length", 0))
        _require_space(partial, size)
        if not goes_on:
            have = 0
            version = answer.headers.get("ETag", answer.headers.get("Last-Modified", ""))
            if version and not version.startswith("W/"):
                validator.write_text(version, encoding="utf-8")
            else:
                validator.unlink(missing_ok=True)
        progress = _Progress(url, have, have + size if size else 0)
        with open(partial, "ab" if goes_on else "wb") as stream:
            for chunk in answer.iter_content(CHUNK):
                stream.write(chunk)
                progress.add(len(chunk))


def _is_web(place: str | Path) -> bool:
    return isinstance(place, str) and bool(WEB.match(place))


def _partial(path: Path, url: str) -> Path:
    """Return the file beside `path` that keeps what has come from `url` so far."""
    return path.with_name(f".{hashlib.sha256(url.encode()).hexdigest()[:16]}.partial")


def _forget(partial: Path) -> None:
    for file in (partial, _validator(partial)):
        file.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _validator(partial: Path) -> Path:
    """Return the file that keeps what the server said of the version of a `partial` download."""
    return partial.with_name(f"{partial.name}.version")


def _refused(error: requests.RequestException) -> bool:
    """Tell whether asking again is of no use."""
    status = 500 if error.response is None else error.response.status_code
    return status < 500 and status not in (408, 429)


def _pause(error: requests.RequestException, failures: int) -> float:
    """Return how many seconds to wait: as long as the server asks for, else ever longer."""
    asked = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    return min(float(asked) if asked.isdigit() else PAUSE * 2 ** (failures - 1), LONGEST_PAUSE)


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
    """Tenths of a download in the log, with the time that the rest will take."""

    def __init__(self, url: str, done: int, total: int):
        self._url, self._done, self._total = url, done, total
        self._begun, self._before = time.monotonic(), done
        self._next = done + total / 10

    def add(self, size: int) -> None:
        self._done += size
        if self._total and self._next <= self._done < self._total:
            seconds = time.monotonic() - self._begun
            left = seconds * (self._total - self._done) / (self._done - self._before)
            share = 100 * self._done // self._total
            logging.info("%s: %d %% of %s, %.0f s left", self._url, share, _readable(self._total), left)
            self._next += self._total / 10


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
