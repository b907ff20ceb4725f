"""Many small files, scattered over the web, into one archive, with a list of those that are missing."""

import csv
import hashlib
import io
import logging
import re
import shutil
import threading
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from urllib.parse import urlsplit

from medpeft.base.errors import UserError
from medpeft.base.files import drop_torn_line
from medpeft.data.dataset import Link
from medpeft.data.fetching.web import Unfit, download

TOGETHER = 16  # files at a time
ATTEMPTS_PER_FILE = 2
PATIENCE = 20  # failed connections to a host, and none that succeeded, after which it is asked no more
REPORT_EVERY = 500  # files
FAILED = "failed.csv"


def gather(links: list[Link], path: Path, folder: Path) -> list[str]:
    """Download `links` and pack the files as a zip to `path`; return no reasons, or why there is nothing.

    A file with another MD5 than its link tells is none.

    Args:
        links: Where the files are.
        path: Where the zip is put; it also holds a `failed.csv` of the files that are missing.
        folder: Where files wait until all were tried, so that the next call continues one that was killed. What failed
            for good is remembered there too.

    Raises:
        UserError: A link names a file elsewhere.
    """
    for link in links:
        if not re.fullmatch(r"\w[\w.-]*", link.name):
            raise UserError(
                f"the list of links names a file {link.name!r}, which is no plain name: get the published list"
            )
    folder.mkdir(parents=True, exist_ok=True)
    failed = _Failures(folder / FAILED)
    _fetch_all(links, folder, failed)
    there = [link.name for link in links if (folder / link.name).exists()]
    logging.warning("%d of %d files were found", len(there), len(links))
    for reason, count in failed.reasons().most_common():
        logging.warning("%d files: %s", count, reason)
    if not there:
        return [
            f"none of {len(links)} links gives a file, most for this reason: {failed.reasons().most_common(1)[0][0]}"
        ]
    with zipfile.ZipFile(path, "w") as archive:
        for name in there:
            archive.write(folder / name, name)
        archive.writestr(FAILED, failed.text())
    shutil.rmtree(folder)
    return []


def _fetch_all(links: list[Link], folder: Path, failed: "_Failures") -> None:
    """Put the files of `links` that were not tried before into `folder`, and add to `failed` those that are missing."""
    todo = [link for link in links if link.name not in failed and not (folder / link.name).exists()]
    logging.info("%d files are to be fetched, %d were tried before", len(todo), len(links) - len(todo))
    hosts, begun = _Hosts(), time.monotonic()
    with ThreadPoolExecutor(TOGETHER) as pool:
        tasks = {pool.submit(_fetch_one, link, folder, hosts): link for link in todo}
        for number, task in enumerate(as_completed(tasks), 1):
            if reason := task.result():
                failed.add(tasks[task], reason, final=not hosts.dead(urlsplit(tasks[task].url).netloc))
            if number % REPORT_EVERY == 0:
                left = (time.monotonic() - begun) * (len(todo) - number) / number
                logging.info("%d of %d files tried, %d missing, %.0f s left", number, len(todo), len(failed), left)


def _fetch_one(link: Link, folder: Path, hosts: "_Hosts") -> str | None:
    """Put the file of `link` into `folder`; return why that cannot be, or None."""
    host = urlsplit(link.url).netloc
    if not host:
        return "no address"
    if hosts.dead(host):
        return f"{host} does not answer"
    temporary = folder / f".{link.name}.part"
    try:
        download(link.url, temporary, ATTEMPTS_PER_FILE)
    except Unfit as reason:
        hosts.tell(host, answered=str(reason).startswith("HTTP"))
        return str(reason)
    hosts.tell(host, answered=True)
    if link.md5 and hashlib.md5(temporary.read_bytes(), usedforsecurity=False).hexdigest() != link.md5:
        temporary.unlink()
        return "another file than the table was made with (MD5)"
    temporary.replace(folder / link.name)
    return None


class _Hosts:
    """Which hosts have answered so far: those that never do are not asked thousands of times."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: Counter[str] = Counter()
        self._alive: set[str] = set()

    def dead(self, host: str) -> bool:
        with self._lock:
            return host not in self._alive and self._failures[host] >= PATIENCE

    def tell(self, host: str, answered: bool) -> None:
        with self._lock:
            if answered:
                self._alive.add(host)
            else:
                self._failures[host] += 1


class _Failures:
    """The files that are missing and why, in a table that grows on the disk."""

    def __init__(self, path: Path):
        self._path = path
        self._rows: dict[str, list[str]] = {}
        drop_torn_line(path)
        if path.exists():
            with open(path, newline="", encoding="utf-8") as stream:
                self._rows = {row[0]: row for row in csv.reader(stream) if len(row) == 3}

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, link: Link, reason: str, final: bool) -> None:
        """Add a file; the next call tries it again unless its failure is `final`."""
        self._rows[link.name] = [link.name, link.url, reason]
        if not final:
            return
        with open(self._path, "a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow(self._rows[link.name])

    def reasons(self) -> Counter[str]:
        return Counter(row[2] for row in self._rows.values())

    def text(self) -> str:
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([["name", "url", "reason"], *sorted(self._rows.values())])
        return stream.getvalue()
