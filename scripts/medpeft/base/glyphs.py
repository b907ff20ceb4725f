"""Letters that the usual fonts lack, as in Chinese names of classes, from other fonts of this machine."""

from functools import cache
from pathlib import Path
from unicodedata import category

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

INVISIBLE = ("C", "M", "Z")  # categories of Unicode: controls, marks on a letter, spaces
BOXES = "lastresort"  # a font whose glyphs only say which letter is missing


def letters(*texts: str) -> frozenset[str]:
    """Return the characters of `texts` beyond ASCII that have a glyph of their own."""
    return frozenset(
        letter for text in texts for letter in text if not letter.isascii() and category(letter)[0] not in INVISIBLE
    )


@cache
def fallback_fonts(wanted: frozenset[str]) -> list[Path]:
    """Return fonts of this machine that have, together, as many of the `wanted` letters as its fonts have.

    Each has the most of the letters that those before it lack.
    """
    known = {path: has for path in font_manager.findSystemFonts() if (has := _letters_of(path) & wanted)}
    chosen: list[Path] = []
    while left := wanted - covered(chosen):
        best = max(sorted(known), key=lambda path: len(known[path] & left), default="")
        if not best or not known[best] & left:
            break
        chosen.append(Path(best))
    return chosen


def covered(fonts: list[Path]) -> frozenset[str]:
    """Return the letters for which one of `fonts` has a glyph."""
    return frozenset().union(*(_letters_of(str(font)) for font in fonts))


def undrawn(wanted: frozenset[str]) -> frozenset[str]:
    """Return which of the `wanted` letters the usual font of figures lacks."""
    return wanted - _letters_of(font_manager.findfont(FontProperties()))


def give_glyphs(figure: Figure) -> None:
    """Let the texts of `figure` have the letters that their font lacks from other fonts of this machine, in place."""
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    lacking = undrawn(letters(*(text.get_text() for text in texts)))
    fonts = fallback_fonts(lacking) if lacking else []
    for font in fonts:
        font_manager.fontManager.addfont(font)
    names = [FontProperties(fname=str(font)).get_name() for font in fonts]
    for text in texts if names else []:
        text.set_fontfamily([*text.get_fontfamily(), *names])


@cache
def _letters_of(path: str) -> frozenset[str]:
    """Return the characters for which the font at `path` has a glyph; none where it cannot be read."""
    if BOXES in path.lower():
        return frozenset()
    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return frozenset()
