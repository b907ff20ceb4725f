"""Which files of the library a Python file depends on, read from its imports without running any."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from medpeft.base.places import LIBRARY

# No result depends on what these decide: were they inputs of jobs, a reworded error message would rerun everything.
UNCOUNTED = {
    *(f"base/{name}.py" for name in ("errors", "gpus", "imports", "literals", "places", "redaction")),
    *(
        f"pipeline/{name}.py"
        for name in (
            *("code", "ledger", "packages", "paths", "provenance", "settings", "study", "study_file", "verify"),
            *("handover", "inherited", "lending", "ownership", "stage", "warm", "watch"),
        )
    ),
}
WITHOUT_DECISIONS = {"registry.py", "__init__.py"}


def dependencies(*files: Path) -> list[Path]:
    """Return the library files that `files` consist of or import, directly or through others, sorted.

    Left out is what decides no result: `UNCOUNTED`, packages' `__init__.py`, which hold no code, and registries, which
    look up by name what is counted where it is named.

    Args:
        files: Python files inside or outside the library.
    """
    pending, seen = list(files), set(files)
    while pending:
        new = imported(pending.pop()) - seen
        seen |= new
        pending += filter(_counts, new)
    return sorted(file for file in seen if file.is_relative_to(LIBRARY) and _counts(file))


def uses(files: Iterable[Path], module: str) -> bool:
    """Tell whether one of `files`, or a file that they depend on, imports the library's `module`, a dotted name."""
    target = LIBRARY / f"{module.replace('.', '/')}.py"
    return any(target in imported(file) for file in [*files, *dependencies(*files)])


@cache  # asked for every job of a study
def imported(file: Path) -> frozenset[Path]:
    """Return the library files that `file` imports, wherever in it, but for its types alone."""
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    nodes = set(ast.walk(tree)) - set(_of_types_alone(tree))
    places = (LIBRARY.parent / f"{name.replace('.', '/')}.py" for node in nodes for name in _names(node, file))
    return frozenset(place for place in places if place.is_relative_to(LIBRARY) and place.exists())


def _of_types_alone(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what is read by type checkers and never run."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from (inner for statement in node.body for inner in ast.walk(statement))


def _names(node: ast.AST, file: Path) -> Iterator[str]:
    """Yield the absolute dotted names that an import statement may mean, of modules and of what lies in them."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        origin = node.module or ""
        if node.level:
            package = file.relative_to(LIBRARY.parent).parts[: -node.level]
            origin = ".".join([*package, *filter(None, [node.module])])
        yield origin
        yield from (f"{origin}.{alias.name}" for alias in node.names)


def _counts(file: Path) -> bool:
    return file.name not in WITHOUT_DECISIONS and file.relative_to(LIBRARY).as_posix() not in UNCOUNTED
