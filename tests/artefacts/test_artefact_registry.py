"""Every table and figure says what it is made of, and what it says agrees with what it reads."""

import re
from dataclasses import fields

import pytest

from medpeft.artefacts import registry
from medpeft.artefacts.sources import Sources
from medpeft.pipeline.study import FEATURES

ARTEFACTS = {("table", name): table for name, table in registry.tables().items()}
ARTEFACTS |= {("figure", name): figure for name, figure in registry.figures().items()}
MADE = [key for key, artefact in ARTEFACTS.items() if artefact.stage == key[0]]


def test_sources_are_what_artefacts_may_name():
    assert {field.name for field in fields(Sources)} == {*registry.SOURCES, "published"}


@pytest.mark.parametrize("key", ARTEFACTS, ids=lambda key: key[1])
def test_what_is_read_without_an_import_is_what_an_import_gives(key):
    kind, name = key
    module = registry.importlib.import_module(f"medpeft.artefacts.{kind}s.{name}")
    assert getattr(module, kind.upper()) == ARTEFACTS[key]


@pytest.mark.parametrize("key", ARTEFACTS, ids=lambda key: key[1])
def test_it_has_a_place_in_the_paper_and_needs_what_there_is(key):
    artefact = ARTEFACTS[key]
    assert artefact.section in registry.SECTIONS
    assert set(artefact.sources) <= set(registry.SOURCES)
    assert set(artefact.requires) <= FEATURES.keys()
    assert artefact.caption.format(most_data="all", images="119").endswith(".")


@pytest.mark.parametrize("key", MADE, ids=lambda key: key[1])
def test_it_names_each_source_that_its_file_reads(key):
    artefact, text = ARTEFACTS[key], registry.file_of(*key).read_text()
    read = set(re.findall(r"\bsources\.(\w+)", text)) - {"published"}
    assert read <= set(artefact.sources)
    assert ("sources.published" in text) <= bool(artefact.published)


def test_no_two_share_a_place():
    places = [(artefact.section, artefact.place) for artefact in ARTEFACTS.values()]
    assert len(set(places)) == len(places)
