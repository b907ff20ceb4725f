"""Which files of code a job runs, so that an edit reruns exactly what depends on it."""

from functools import cache
from pathlib import Path

from medpeft.artefacts import registry as artefacts
from medpeft.base.imports import dependencies, uses
from medpeft.base.places import LIBRARY
from medpeft.data import registry as datasets
from medpeft.methods import registry as methods

KINDS = {"dataset", "method", "table", "figure"}  # of what jobs look up by name


@cache  # asked for every job of a study
def code(script: Path, named: frozenset[tuple[str, tuple[str, ...]]], own: frozenset[str]) -> list[Path]:
    """Return the code behind a job: its script, what that imports, and the modules that it looks up by name.

    Args:
        script: The script of the rule.
        named: Names by their kind, one of `KINDS`; a kind counts where the script uses its registry.
        own: The datasets of the user's own, which the study declares.
    """
    names = dict(named)
    files = [script]
    if _looks_up(script, "data"):
        files += [datasets.file_of(name, name in own) for name in names.get("dataset", ())]
    if _looks_up(script, "methods"):
        files += [methods.file_of(name) for name in names.get("method", ())]
    if _looks_up(script, "artefacts"):
        files += [artefacts.file_of(kind, name) for kind in ("table", "figure") for name in names.get(kind, ())]
    if _looks_up(script, "statistics"):
        files.append(LIBRARY / "statistics" / "scoring" / "overall.py")
    return [script, *dependencies(*files)]


@cache  # asked for every job of a script
def _looks_up(script: Path, package: str) -> bool:
    """Tell whether a script, or what it imports, looks something up in the registry of a package."""
    return uses([script], f"{package}.registry")
