"""Which files of the library a job runs, so that an edit reruns exactly what depends on it."""

from functools import cache
from pathlib import Path

from medpeft.base.imports import dependencies, uses
from medpeft.data import registry as datasets
from medpeft.methods import registry as methods


@cache  # asked for every job of a study
def code(
    script: Path,
    named_datasets: tuple[str, ...] = (),
    own: frozenset[str] = frozenset(),
    named_methods: tuple[str, ...] = (),
) -> list[Path]:
    """Return the library files behind a job: what its script imports, and the modules that it looks up by name.

    Args:
        script: The script of the rule.
        named_datasets: Datasets that it looks up, if it uses their registry at all.
        own: The datasets of the user's own, which the study declares.
        named_methods: Methods that it looks up, if it uses their registry at all.
    """
    files = [script]
    if uses([script], "data.registry"):
        files += [datasets.file_of(name, name in own) for name in named_datasets]
    if uses([script], "methods.registry"):
        files += [methods.file_of(name) for name in named_methods]
    return dependencies(*files)
