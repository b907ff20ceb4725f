"""Failures are results, and stay: this removes them, so that they are tried again."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from medpeft.base.files import read_json


def forget_failed(folders: Iterable[Path]) -> int:
    """Remove the folders of runs and searches that failed, and return how many there were."""
    failed = [folder for folder in folders if _failed(folder)]
    for folder in failed:
        shutil.rmtree(folder)
    return len(failed)


def _failed(folder: Path) -> bool:
    """Tell whether a run was recorded as failed, or a search found no learning rate."""
    record, search = folder / "record.json", folder / "learning_rate.json"
    if record.exists():
        return bool(read_json(record)["status"] != "ok")
    return search.exists() and read_json(search)["learning_rate"] is None
