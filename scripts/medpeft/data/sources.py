"""Whether the files that a dataset was prepared from are still the same: a touched file changes nothing.

Folders and files on this machine are looked at whenever a study is planned. What was touched is compared with what was
prepared from it: the rows of the manifest, and the SHA-256 of each image. So no image is read before it is prepared.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medpeft.base.changes import digest, noted_in, seen
from medpeft.base.errors import UserError
from medpeft.base.files import read_table, sha256
from medpeft.base.losses import REASONS, Losses
from medpeft.data.archives import Source, is_link, is_visible
from medpeft.data.dataset import Archive, Dataset
from medpeft.data.fetching.download import local_place, mirrored

IDENTITY = ["image_id", "group_id", "label", "unknown", "split", "source", "member"]  # what an image is


@dataclass(frozen=True)
class Kept:
    """A dataset, and where it is kept.

    Attributes:
        name: Of the dataset in a study.
        dataset: What is known of it.
        raw: The folder of its archives.
        prepared: The folder that has a folder of images for each of their sizes.
    """

    name: str
    dataset: Dataset
    raw: Path
    prepared: Path

    def content(self, archive: Archive, mirror: str | None) -> str | None:
        """Return what changes when, and only when, the content of an archive on this machine does.

        Args:
            archive: One of the dataset's.
            mirror: The study's folder or base URL.

        Returns:
            What `download` noted, where nothing has changed since or where the archive is not on this machine. None for
            one that never was.
        """
        place, noted = local_place(archive, self.name, mirror), self._noted(archive)
        if place is None or archive.generate:
            return noted.get("content")
        files = {name: place / name for name in _visible(Source(place))} if place.is_dir() else {archive.name: place}
        use = self.raw / archive.name
        return seen(use, files, noted.get("content"), lambda touched: self._unchanged(archive, place, touched))

    def captions(self, mirror: str | None) -> str | None:
        """Return what changes when captions in a folder of the user's own do; None for any other source."""
        return self._told("captions.csv", ["caption"], mirror)

    def attributes(self, mirror: str | None) -> str | None:
        """Return what changes when attributes in a folder of the user's own do; None for any other source."""
        return self._told("attributes.csv", list(self.dataset.attributes), mirror)

    def _told(self, name: str, columns: list[str], mirror: str | None) -> str | None:
        """Return a digest of `columns` of the index of a folder, or of the table `name` where the folder is gone."""
        archive, made = self.dataset.archives[0], self.prepared / name
        place = local_place(archive, self.name, mirror)
        if place and place.is_dir():
            return _digest_of(self.dataset.listing([place])[0], columns)
        folder_is_gone = made.exists() and is_link(self.raw / archive.name)
        return _digest_of(pd.read_csv(made, dtype=str, keep_default_na=False), columns) if folder_is_gone else None

    def _noted(self, archive: Archive) -> dict[str, Any]:
        """Return what `download` noted of `archive`; nothing where it has not run."""
        return noted_in(self.raw / "source" / f"{archive.name}.json")

    def _unchanged(self, archive: Archive, place: Path, touched: set[str]) -> bool:
        """Tell whether what the archive at `place` holds, where files were touched, is what was prepared."""
        if place.is_file() and self._noted(archive).get("sha256") == sha256(place):
            return True
        manifests = sorted(self.prepared.glob("*px*/manifest.csv"))
        if not manifests or (place.is_file() and place.suffix != ".zip"):
            return False
        source, manifest = Source(place), _with_member(read_table(manifests[0]), archive.name)
        try:
            archives = [place if one == archive else self.raw / one.name for one in self.dataset.archives]
            listed, losses = self.dataset.listing(archives)
            table = _with_member(listed, place.name)
            # What could not be decoded is no row of the manifest, and no news while nobody has touched it.
            table = table[table["member"].isin({*manifest["member"], *touched})]
            columns = [column for column in IDENTITY if column in manifest]
            if _rows(table, columns) != _rows(manifest, columns) or _more_lost(losses, manifests[0].parent):
                return False
            here = manifest.dropna(subset="member")
            read = here[here["member"].isin(touched)] if place.is_dir() else here
            digests = (hashlib.sha256(source.read(member)).hexdigest() for member in read["member"])
            return all(now == then for now, then in zip(digests, read["sha256"], strict=True))
        except UserError:  # the job that reads it will say the same
            return False


def mirrored_files(name: str, folder: str, mirror: str | None) -> dict[str, Path]:
    """Return the file `name`, or the files in the folder `name`, that a mirror on this machine has; see `mirrored`."""
    try:
        places = [place for place in mirrored(name, folder, mirror) if isinstance(place, Path) and place.exists()]
    except UserError:  # the mirror is gone
        return {}
    if not places:
        return {}
    if places[0].is_file():
        return {name: places[0]}
    return {file: places[0] / file for file in _visible(Source(places[0]))}


def content_of_files(files: dict[str, Path], note: Path) -> str | None:
    """Return what changes when, and only when, the content of the mirror's `files` does.

    Args:
        files: By name, as `mirrored_files` returns them.
        note: A JSON file with the keys `content`, what this returned, and `files`, the SHA-256 of each when they were
            used. It need not be there.
    """
    noted = noted_in(note)
    used = noted.get("files", {})

    def unchanged(touched: set[str]) -> bool:
        return used.keys() == files.keys() and all(sha256(files[name]) == used[name] for name in touched)

    def new() -> str:  # by content alone: records have the hash of the note
        return digest(text for name, file in sorted(files.items()) for text in (name, sha256(file)))

    return seen(note, files, noted.get("content"), unchanged, new) if files else noted.get("content")


def _digest_of(table: pd.DataFrame, columns: list[str]) -> str:
    return digest(value for column in columns if column in table for value in table[column])


def _more_lost(losses: Losses, prepared: Path) -> bool:
    """Tell whether of a reason that stops a study more is lost than when the images in `prepared` were made."""
    path = prepared / "losses.csv"
    noted = read_table(path).set_index("reason")["count"].to_dict() if path.exists() else {}
    return any(len(losses.names(name)) > noted.get(name, 0) for name, reason in REASONS.items() if reason.remedy)


def _visible(source: Source) -> list[str]:
    return [name for name in source.names() if is_visible(name)]


def _rows(table: pd.DataFrame, columns: list[str]) -> list[list[str]]:
    return table.reindex(columns=columns).fillna("").astype(str).to_numpy().tolist()


def _with_member(table: pd.DataFrame, archive: str) -> pd.DataFrame:
    """Return `table` with the column `member`: the name of each image in `archive`, None where it lies in another."""
    places = table["source_file"]
    inside = places.str.startswith(f"{archive}/")
    return table.assign(member=places.str.removeprefix(f"{archive}/").where(inside, None))
