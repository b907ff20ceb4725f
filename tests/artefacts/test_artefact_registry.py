"""Every table and figure says what it is made of, and what it says agrees with what it reads."""

import re
from dataclasses import fields

import pytest
from tiny import STUDY

from medpeft.artefacts import registry
from medpeft.artefacts.sources import Sources
from medpeft.base.errors import UserError
from medpeft.pipeline.study import FEATURES, Study

ARTEFACTS = {("table", name): table for name, table in registry.tables().items()}
ARTEFACTS |= {("figure", name): figure for name, figure in registry.figures().items()}
MADE = [key for key, artefact in ARTEFACTS.items() if artefact.stage == key[0]]


def test_sources_are_what_artefacts_may_name():
    assert {field.name for field in fields(Sources)} == {*registry.SOURCES, "published", "primary"}


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
    words = {"metric": "AUROC", "most_data": "all", "images": "119", "networks": "networks", "published": ""}
    assert artefact.caption.format(**words).endswith(".")


@pytest.mark.parametrize("key", MADE, ids=lambda key: key[1])
def test_it_names_each_source_that_its_file_reads(key):
    artefact, text = ARTEFACTS[key], registry.file_of(*key).read_text()
    read = set(re.findall(r"\bsources\.(\w+)", text)) - {"published"}
    assert read <= set(artefact.sources)
    assert ("sources.published" in text) <= bool(artefact.published)


def test_no_two_share_a_place():
    places = [(artefact.section, artefact.place) for artefact in ARTEFACTS.values()]
    assert len(set(places)) == len(places)


REFUSED = {
    '"Sizes.", "cost", 9': "'cost', 9 is no section and place",
    '"Sizes.", "costs", "last"': "'costs', 'last' is no section and place",
    '"Sizes.", "costs", 9, ("run",)': "there is no source 'run'",
    '"Sizes.", "costs", 9, "runs"': "write ('runs',), not 'runs'",
    '"Sizes.", "costs", 9, requires="full"': "are tuples",
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.items())
def test_what_no_table_can_be_is_refused_with_its_file(tmp_path, arguments, message):
    file = tmp_path / "sizes.py"
    file.write_text(f"TABLE = Table({arguments})\n")
    with pytest.raises(UserError, match=f"{re.escape(str(file))}.*{re.escape(message)}"):
        registry._read(file, "TABLE", registry.Table)


def test_a_feature_that_no_study_has_is_refused():
    with pytest.raises(UserError, match="requires 'ful': choose among"):
        Study(STUDY).lacks(registry.Table("Sizes.", "costs", 9, requires=("ful",)))
