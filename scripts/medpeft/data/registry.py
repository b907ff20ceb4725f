"""The datasets: each is the module of its name in the folder `datasets`, holding one `DATASET`."""

import importlib
import pkgutil
from pathlib import Path
from typing import Any

from medpeft.base.errors import UserError
from medpeft.data.dataset import Dataset
from medpeft.data.user_dataset import user_dataset

FOLDER = Path(__file__).parent / "datasets"  # one module each


def names() -> list[str]:
    """Return the names of all datasets, sorted, without importing them."""
    return sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]) if not module.name.startswith("_"))


def load(name: str, declared: dict[str, Any] | None = None) -> Dataset:
    """Return the dataset `name`, or the user's own one as the study has `declared` it.

    Raises:
        UserError: There is no such dataset; the message lists those there are.
    """
    if declared:
        return user_dataset(name, declared)
    if name not in names():
        raise UserError(f"there is no dataset {name!r}: choose among {', '.join(names())}")
    return importlib.import_module(f"medpeft.data.datasets.{name}").DATASET


def file_of(name: str, own: bool) -> Path:
    """Return the file that says how the dataset `name`, the user's `own` or one of the project's, is read."""
    return FOLDER.parent / "user_dataset.py" if own else FOLDER / f"{name}.py"
