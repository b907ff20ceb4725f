"""Letters that the usual fonts lack come from another font of the machine, and stay boxes only where none has them."""

import warnings
from pathlib import Path

import pytest
from fonts import write_font
from matplotlib import font_manager
from matplotlib.figure import Figure

from medpeft.base import glyphs


@pytest.fixture
def fonts(tmp_path, monkeypatch) -> list[Path]:
    """The fonts of the machine: one has two Chinese letters, one has three, one is damaged."""
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    found = [write_font(tmp_path / "two.ttf", "皮肤"), write_font(tmp_path / "three.ttf", "正常皮")]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [*map(str, found), str(tmp_path / "damaged.ttf")])
    glyphs.fallback_fonts.cache_clear()
    yield found
    glyphs.fallback_fonts.cache_clear()


def test_letters_beyond_ascii_that_are_drawn_are_asked_for():
    assert glyphs.letters("a é", "皮\u0301\u200b\n", "5 µm") == frozenset("é皮µ")


def test_as_few_fonts_as_have_the_letters_are_taken(fonts):
    two, three = fonts
    assert glyphs.fallback_fonts(frozenset("皮")) in ([two], [three])
    assert glyphs.fallback_fonts(frozenset("正常")) == [three]
    assert glyphs.fallback_fonts(frozenset("正常肤한")) == [three, two]
    assert glyphs.fallback_fonts(frozenset("한")) == []
    assert glyphs.covered(fonts) >= frozenset("皮肤正常")


def _drawn(tmp_path, give) -> tuple[bytes, list[str]]:
    figure = Figure()
    figure.text(0.1, 0.5, "skin: 皮肤")
    figure.subplots().set_title("常")
    if give:
        glyphs.give_glyphs(figure)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(tmp_path / "figure.png")
        figure.savefig(tmp_path / "figure.pdf")
    return (tmp_path / "figure.png").read_bytes(), [
        str(w.message) for w in caught if "missing from font" in str(w.message)
    ]


def test_a_figure_draws_them_from_the_fonts_of_the_machine(fonts, tmp_path):
    without, missing = _drawn(tmp_path, give=False)
    assert missing
    given, missing = _drawn(tmp_path, give=True)
    assert missing == []
    assert given != without


def test_a_figure_of_usual_letters_asks_for_no_font(monkeypatch):
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: pytest.fail("looked for fonts"))
    figure = Figure()
    figure.text(0, 0, "± 5 µm, Größe, π")
    glyphs.give_glyphs(figure)
