"""Dependencies are read from what files import, through any number of others, wherever the import stands."""

import pytest

from medpeft.base import imports

FILES = {
    "data/datasets/heart.py": "from medpeft.data.datasets import heart_codes\nfrom medpeft.base import errors\n",
    "data/datasets/heart_codes.py": "def codes():\n    import medpeft.data.tables as tables\n    return tables\n",
    "data/tables.py": "from .reading import rows\nfrom . import words as vocabulary\n",
    "data/reading.py": '"""See medpeft.data.unread; from medpeft.data.unread import nothing."""\n',
    "data/words.py": "from medpeft.data.registry import load\n",
    "data/registry.py": "from medpeft.data.unread import something\n",
    "data/unread.py": "",
    "base/errors.py": "from medpeft.data.unread import something\n",
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library of a few files."""
    library = tmp_path / "medpeft"
    for name, text in FILES.items():
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text(text)
    monkeypatch.setattr(imports, "LIBRARY", library)
    return library


def _names(library, files):
    return [file.relative_to(library).as_posix() for file in files]


def test_helpers_of_helpers_are_found_and_what_is_only_mentioned_is_not(library):
    """A helper that a dataset's module imports was missing once: an edit of it reran nothing."""
    found = imports.dependencies(library / "data/datasets/heart.py")
    assert _names(library, found) == [
        "data/datasets/heart.py",
        "data/datasets/heart_codes.py",
        "data/reading.py",
        "data/tables.py",
        "data/words.py",
    ]


def test_a_script_outside_the_library_is_no_file_of_it(library, tmp_path):
    script = tmp_path / "prepare.py"
    script.write_text("def main():\n    from medpeft.data.words import all\n")
    assert _names(library, imports.dependencies(script)) == ["data/words.py"]


def test_a_registry_is_used_through_others_too(library):
    assert imports.uses([library / "data/datasets/heart.py"], "data.registry")
    assert not imports.uses([library / "data/reading.py"], "data.registry")


def test_what_reads_and_writes_files_counts_and_what_reports_or_plans_does_not():
    scripts = imports.LIBRARY.parent
    found = set(_names(imports.LIBRARY, imports.dependencies(scripts / "evaluate.py")))
    assert {"base/files.py", "statistics/evaluate.py", "statistics/metrics.py"} <= found
    assert not found & imports.UNCOUNTED
    assert all((imports.LIBRARY / name).exists() for name in imports.UNCOUNTED)


def test_what_is_imported_for_types_alone_is_no_dependency(library):
    (library / "data/typed.py").write_text(
        "from typing import TYPE_CHECKING\n\nfrom medpeft.data import words\n\nif TYPE_CHECKING:\n"
        "    from medpeft.data import reading\n"
    )
    assert _names(library, imports.dependencies(library / "data/typed.py")) == ["data/typed.py", "data/words.py"]
