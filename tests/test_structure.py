"""The library stays a house with rooms: small modules, few in a folder, found by their names.

That packages import downwards only, and that there is no circle, is a contract of import-linter in pyproject.toml.
"""

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "scripts" / "medpeft"
MODULES = sorted(LIBRARY.rglob("*.py"))
# One file an entry: as many as there are.
REGISTRIES = {"data/datasets", "artefacts/tables", "artefacts/figures", "methods/additive", "methods/selective"}


def _name(path):
    return path.relative_to(LIBRARY).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_module_is_long(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=_name)
def test_no_folder_is_crowded(folder):
    assert _name(folder) in REGISTRIES or len(list(folder.glob("*.py"))) <= 21


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("__init__.py")), ids=_name)
def test_a_package_says_what_is_in_it_and_runs_nothing(path):
    body = ast.parse(path.read_text()).body
    version = [node for node in body if ast.unparse(node).startswith("__version__ = '")]
    assert len(version) == (path.parent == LIBRARY)
    assert len(body) == 1 + len(version)
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_module_uses_what_another_keeps_to_itself(path):
    private = [
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("medpeft")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert private == []


def test_the_map_of_the_code_names_every_module():
    text = (LIBRARY.parents[1] / "docs" / "code.md").read_text()
    modules = [path for path in MODULES if path.stem != "__init__" and _name(path.parent) not in REGISTRIES]
    assert [_name(path) for path in modules if f"{path.stem}`" not in text] == []
