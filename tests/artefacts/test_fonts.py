"""The paper draws any letter that a font of the machine has, and says which letters stay boxes."""

import re

import pytest
import typst
from declared import declared
from fonts import write_font
from matplotlib import font_manager
from test_paper import evidence

from medpeft.artefacts.findings import findings
from medpeft.artefacts.fonts import font_folders, glyph_sentence, rare_letters, untypeset
from medpeft.base import glyphs
from medpeft.data.user_dataset import user_dataset


def _dataset(*classes, **changes):
    return user_dataset("skin", declared(classes=list(classes), **changes))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that gives the machine one font with the letters, or none."""

    def having(letters):
        fonts = [str(write_font(tmp_path / "other.ttf", letters))] if letters else []
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: fonts)
        glyphs.fallback_fonts.cache_clear()

    yield having
    glyphs.fallback_fonts.cache_clear()


def test_typst_is_asked_which_letters_it_lacks():
    assert untypeset(frozenset("皮한éβЖש±✓")) == frozenset("皮한")
    assert untypeset(frozenset()) == frozenset()


@pytest.mark.parametrize(
    ("words", "letters"),
    [
        ({"classes": ["benign", "Größe"]}, ""),
        ({"classes": ["皮肤", "benign"]}, "皮肤"),
        ({"classes": ["a", "b"], "title": "정상"}, "정상"),
        ({"classes": ["a", "b"], "licence": "見本"}, "見本"),
    ],
)
def test_rare_letters_are_those_of_all_that_a_study_says_of_its_datasets(words, letters):
    assert rare_letters({"skin": user_dataset("skin", declared(**words))}) == frozenset(letters)


def test_without_a_font_the_sentence_names_class_and_letters(machine):
    machine("")
    sentence = glyph_sentence({"skin": _dataset("皮肤", "normal")})
    assert "皮 (U+76AE), 肤 (U+80A4), as in '皮肤'" in sentence
    assert "Install a font" in sentence
    assert sentence in findings(evidence_of("皮肤"))["limitations"]


def test_with_a_font_there_is_nothing_to_say(machine):
    machine("皮肤")
    assert glyph_sentence({"skin": _dataset("皮肤", "normal")}) is None
    assert glyph_sentence({"skin": _dataset("한", "normal")})


def evidence_of(label):
    from dataclasses import replace

    return replace(evidence(), datasets={"busi": _dataset(label, "normal")})


def test_the_paper_draws_the_letters_of_the_font(machine):
    machine("皮肤")
    page = "#set page(width: 2cm, height: 2cm)\n皮".encode()

    def drawn(folders):
        svg = typst.compile(page, format="svg", ignore_system_fonts=True, font_paths=folders)
        return re.findall(r'href="#(\w+)"', svg.decode())

    with font_folders("皮") as folders:
        assert drawn(folders) != drawn([])
    with font_folders("") as folders:
        assert folders == []
