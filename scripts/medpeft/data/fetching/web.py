"""One address of the web into one file: interruptions are tried again, and what has come is never lost."""

import hashlib
import logging
import shutil
import time
from pathlib import Path

import requests

from medpeft.base.errors import UserError

ATTEMPTS = 4  # per address, as long as none brings a byte; a refusal (HTTP 4xx but 408 and 429) is not tried again
PAUSE = 2.0  # seconds before the second attempt, doubled before each further one
LONGEST_PAUSE = 120.0  # seconds, also where a server asks for more
TIMEOUT = 30  # seconds without any answer
PIECE = 2**18  # bytes written at once; what a broken connection can cost
RESERVE = 2**26  # bytes that stay free on the disk


class Unfit(Exception):
    """One address did not give the file, and why; the next one is tried."""


def download(url: str, path: Path, attempts: int = ATTEMPTS) -> None:
    """Download `url` to `path`; interruptions and servers' failures are tried again, refusals are not.

    What a broken download has brought stays beside `path`, and the next call for that address goes on from there.

    Args:
        url: A web address.
        path: Where the whole file is put.
        attempts: How many in a row may bring nothing.

    Raises:
        Unfit: The server refuses, or as many attempts in a row brought nothing.
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
                    _delete(partial)
                raise Unfit(reason(error)) from error
            pause = _pause(error, failures)
            logging.warning("%s: %s; trying again in %.0f s", url, reason(error), pause)
            time.sleep(pause)
        else:
            partial.replace(path)
            return _delete(partial)


def forget(url: str, path: Path) -> None:
    """Delete what a broken download of `url` to `path` has brought."""
    _delete(_partial(path, url))


def reason(error: requests.RequestException) -> str:
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


def require_space(path: Path, size: int) -> None:
    """Refuse to write `size` bytes to `path` where the disk would then have less than `RESERVE` bytes free."""
    free = shutil.disk_usage(path.parent).free
    if free < size + RESERVE:
        raise UserError(
            f"the disk that holds {path.parent} has {_megabytes(free)} free but {_megabytes(size)} are to be fetched: "
            "free some space, or move the data folder, and run again"
        )


def _stream(url: str, partial: Path) -> None:
    """Bring the rest of `url` into the file `partial`, or all of it where the file changed or comes only whole.

    The rest is asked for with the version that the server first sent (its ETag, else its date).
    """
    have, validator = _size(partial), _validator(partial)
    headers = {"Accept-Encoding": "identity", "User-Agent": "medpeft"}
    if have and validator.exists():
        headers |= {"Range": f"bytes={have}-", "If-Range": validator.read_text(encoding="utf-8")}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        goes_on = _goes_on(answer, have, partial)
        size = int(answer.headers.get("Content-Length", 0))
        require_space(partial, size)
        if not goes_on:
            have = 0
            _keep_version(answer, validator)
        progress = _Progress(url, have, have + size if size else 0)
        with open(partial, "ab" if goes_on else "wb") as stream:
            for piece in answer.iter_content(PIECE):
                stream.write(piece)
                progress.add(len(piece))


def _goes_on(answer: requests.Response, have: int, partial: Path) -> bool:
    """Tell whether `answer` continues the `have` bytes of `partial`; delete these where it fits no beginning of them.

    Raises:
        requests.RequestException: The server refuses, or sends what was not asked for.
    """
    if answer.status_code == 416:  # the bytes that are here are no beginning of the file
        _delete(partial)
        raise requests.ConnectionError("the bytes that were there do not belong to the file")
    answer.raise_for_status()
    if answer.status_code != 206:
        return False
    if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        _delete(partial)
        raise requests.ConnectionError("the server gave other bytes than were asked for")
    return True


def _keep_version(answer: requests.Response, validator: Path) -> None:
    """Write to `validator` which version of the file `answer` brings, if the server tells one that can be relied on."""
    version = answer.headers.get("ETag", answer.headers.get("Last-Modified", ""))
    if version and not version.startswith("W/"):
        validator.write_text(version, encoding="utf-8")
    else:
        validator.unlink(missing_ok=True)


def _partial(path: Path, url: str) -> Path:
    """Return the file beside `path` that keeps what has come from `url` so far."""
    return path.with_name(f".{hashlib.sha256(url.encode()).hexdigest()[:16]}.partial")


def _validator(partial: Path) -> Path:
    """Return the file that keeps what the server said of the version of a `partial` download."""
    return partial.with_name(f"{partial.name}.version")


def _delete(partial: Path) -> None:
    for file in (partial, _validator(partial)):
        file.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _refused(error: requests.RequestException) -> bool:
    """Tell whether asking again is of no use."""
    status = 500 if error.response is None else error.response.status_code
    return status < 500 and status not in (408, 429)


def _pause(error: requests.RequestException, failures: int) -> float:
    """Return how many seconds to wait: as long as the server asks for, else ever longer."""
    asked = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    return min(float(asked) if asked.isdigit() else PAUSE * 2 ** (failures - 1), LONGEST_PAUSE)


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
            logging.info("%s: %d %% of %s, %.0f s left", self._url, share, _megabytes(self._total), left)
            self._next += self._total / 10


def _megabytes(size: int) -> str:
    """Return `size` bytes in megabytes."""
    return f"{size / 1e6:,.0f} MB"
