"""Simulated archives depend on how they are drawn, and on nothing else."""

import sys
from pathlib import Path

import pytest

from medpeft.base.imports import dependencies
from medpeft.data import registry, simulators

SIMULATED = [
    (name, archive.generate)
    for name in registry.names()
    for archive in registry.load(name).archives
    if archive.generate
]


@pytest.mark.parametrize(("name", "generate"), SIMULATED, ids=[name for name, _ in SIMULATED])
def test_the_code_that_draws_an_archive_lies_with_the_simulators(name, generate):
    """Editing the code that reads archives must not draw them again."""
    drawing = Path(sys.modules[generate.__module__].__file__)
    folder = Path(simulators.__file__).parent
    found = dependencies(drawing)
    assert drawing in found
    assert {file.parent for file in found} == {folder}
    assert folder / "scanner.py" in found


def test_every_simulator_is_some_dataset():
    assert [name for name, _ in SIMULATED] == ["breast_phantom", "organ_phantom"]
