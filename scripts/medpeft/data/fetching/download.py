"""Archives as their publishers offer them: from a mirror if the study names one, else from the published addresses."""

import hashlib
import logging
import re
import shutil
import zipfile
from pathlib import Path

import requests

from medpeft.base.errors import UserError
from medpeft.base.files import replacing
from medpeft.data.archives import is_link, link
from medpeft.data.dataset import Archive
from medpeft.data.fetching.scattered import gather
from medpeft.data.fetching.web import Unfit, download, forget, reason, require_space

WEB = re.compile(r"https?://")
KAGGLE = re.compile(r"kaggle:(?P<kind>datasets|competitions)/(?P<name>[\w./-]+)")
HTML = re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)


def fetch(
    archive: Archive,
    dataset: str,
    path: Path,
    mirror: str | None = None,
    access: str | None = None,
    listing: Path | None = None,
) -> None:
    """Put `archive` at `path`, complete and checked, or leave nothing there.

    A simulated archive is generated. Any other comes from the first place that gives a file with the right checksum
    which is a sound zip where its name says so. The places are the mirror, then the publisher's addresses, which may
    also be files or folders on this machine. An archive of files that are scattered over the web is gathered last.

    Args:
        archive: What is fetched.
        dataset: The name of its dataset: the subfolder of the mirror in which it may lie.
        path: Where it is put.
        mirror: A folder or base URL that holds the archive under its name. A folder may also hold a zip unpacked, as a
            folder of its name without `.zip`: that is read in place and has no checksum; `path` then only names it.
        access: How the dataset is obtained, for the message.
        listing: The file with the links of scattered files.

    Raises:
        UserError: No place has the archive (the message names every place and its reason), the mirror is a folder that
            does not exist, or the disk is too full.
    """
    with replacing(path) as temporary:
        if archive.generate:
            return archive.generate(temporary)
        places = _places(archive, dataset, mirror)
        reasons = _fetch_first(archive, places, temporary)
        if reasons and archive.links and listing:
            reasons = gather(archive.links(listing), temporary, path.with_suffix(".links"))
        if reasons:
            how = f" access: {access};" if access else ""
            raise UserError(
                f"{archive.name} could not be fetched ({'; '.join(reasons)}):{how} put a sound copy as {archive.name} "
                "into the folder that the study's key `mirror` names (or --config mirror=FOLDER)"
            )
    for place in places:  # what a broken download from another address has brought
        if isinstance(place, str) and WEB.match(place):
            forget(place, path)


def local_place(archive: Archive, dataset: str, mirror: str | None) -> Path | None:
    """Return the file or folder on this machine that `fetch` would take first, None where it would take none."""
    try:
        places = _places(archive, dataset, mirror)
    except UserError:  # the mirror is gone, with all that was fetched from it
        return None
    return next((place for place in places if isinstance(place, Path) and place.exists()), None)


def mirrored(name: str, folder: str, mirror: str | None) -> list[str | Path]:
    """Return where `mirror` may hold the file `name`: at its top or in its subfolder `folder`.

    Raises:
        UserError: The mirror is a folder that does not exist.
    """
    if mirror is None:
        return []
    if WEB.match(mirror):
        return [below(mirror, place) for place in (name, f"{folder}/{name}")]
    top = Path(mirror).expanduser()
    if not top.is_dir():
        raise UserError(
            f"the study's key `mirror` names {mirror!r}, which is no folder here and no http(s) address: "
            "correct it, or leave it out to fetch from the publishers"
        )
    return [top / name, top / folder / name]


def below(address: str, name: str) -> str:
    """Return the address of `name` below another one, whose query, as the signature of a container, it keeps."""
    base, mark, query = address.partition("?")
    return f"{base.rstrip('/')}/{name}{mark}{query}"


def retrieve(place: str | Path, path: Path) -> None:
    """Copy one file of the mirror, or download one address, to `path`; a folder is linked.

    Raises:
        Unfit: That cannot be done.
    """
    if isinstance(place, str):
        if kaggle := KAGGLE.fullmatch(place):
            _from_kaggle(kaggle["kind"], kaggle["name"], path)
        else:
            download(place, path)
    elif place.is_dir():
        link(place, path)
    elif not place.is_file():
        raise Unfit("there is no such file")
    else:
        require_space(path, place.stat().st_size)
        shutil.copyfile(place, path)


def _fetch_first(archive: Archive, places: list[str | Path], path: Path) -> list[str]:
    """Put the first sound file of `places` at `path`; return no reasons, or why none of them has one."""
    reasons = []
    for place in places:
        logging.info("%s: trying %s", archive.name, place)
        try:
            retrieve(place, path)
            _check(path, archive)
        except Unfit as failure:
            logging.warning("%s: %s", place, failure)
            reasons.append(f"{place}: {failure}")
        else:
            logging.info("%s: %d bytes from %s", archive.name, path.stat().st_size, place)
            return []
    return reasons or ["it has no public address"]


def _places(archive: Archive, dataset: str, mirror: str | None) -> list[str | Path]:
    """Return where `archive` may be, best first: in the mirror, packed or not, and where it is published."""
    places = mirrored(archive.name, dataset, mirror)
    return [*places, *_unpacked(archive.name, places), *map(_place, archive.urls)]


def _unpacked(name: str, places: list[str | Path]) -> list[Path]:
    """Return the folders that hold the content of the zip `name`, which may be at `places`.

    A folder named after a dataset may hold the zip itself instead: that is no content.
    """
    if not name.endswith(".zip"):
        return []
    folders = [place.with_suffix("") for place in places if isinstance(place, Path)]
    return [folder for folder in folders if folder.is_dir() and not (folder / name).exists()]


def _place(address: str) -> str | Path:
    return address if WEB.match(address) or KAGGLE.fullmatch(address) else Path(address).expanduser()


def _from_kaggle(kind: str, name: str, path: Path) -> None:
    """Fetch a dataset or competition by Kaggle's own client, which unpacks it in its cache and finds the user's token.

    The client also resumes what broke off.
    """
    import kagglehub
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

    get = {"datasets": kagglehub.dataset_download, "competitions": kagglehub.competition_download}[kind]
    try:
        link(Path(get(name)), path)
    except (requests.RequestException, UnauthenticatedError, DataCorruptionError, ValueError) as error:
        response = getattr(error, "response", None)
        status = response.status_code if response is not None else None
        if status in (401, 403) or isinstance(error, UnauthenticatedError):
            rules = f", and accept the rules at https://www.kaggle.com/c/{name}/rules" * (kind == "competitions")
            raise Unfit(
                f"Kaggle refuses it{f' (HTTP {status})' if status else ''}: make an account and a token, and keep it "
                f"in ~/.kaggle/kaggle.json{rules}"
            ) from error
        words = reason(error) if isinstance(error, requests.RequestException) else " ".join(str(error).split())
        raise Unfit(words) from error


def _check(path: Path, archive: Archive) -> None:
    """Refuse a file at `path` that is not `archive`; a folder elsewhere is taken as it is."""
    if is_link(path):
        return
    with open(path, "rb") as stream:
        page = HTML.match(stream.read(512))
    if page and not archive.name.endswith(".html"):
        raise Unfit("it gave a web page, as for a login or an error, in place of the archive")
    if archive.checksum:
        _check_checksum(path, archive.name, archive.checksum)
    if archive.name.endswith((".zip", ".npz")):
        try:
            with zipfile.ZipFile(path) as opened:
                opened.infolist()
        except zipfile.BadZipFile as error:
            raise Unfit(f"what it gave is not a whole zip archive ({error})") from error


def _check_checksum(path: Path, name: str, checksum: str) -> None:
    kind, _, expected = checksum.partition(":")
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, kind).hexdigest()
    if found != expected:
        raise Unfit(
            f"its {kind} is {found} but {expected} is expected, so it is damaged or another version (if you trust it, "
            f"set `checksums: {{{name}: {kind}:{found}}}` in the study)"
        )
