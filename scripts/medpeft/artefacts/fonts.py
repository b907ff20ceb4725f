"""Which letters of a study's own words the fonts of the paper and the figures lack, and what takes their place."""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import typst

from medpeft.base.glyphs import covered, fallback_fonts, letters, undrawn
from medpeft.data.dataset import Dataset

NO_LETTER = "\U0010fffd"  # for private use: no font has a glyph for it


def rare_letters(datasets: Mapping[str, Dataset]) -> frozenset[str]:
    """Return the letters in what a study says of its `datasets` that the fonts of paper or figures lack."""
    wanted = letters(*(word for name, dataset in datasets.items() for word in _words(name, dataset)))
    return untypeset(wanted) | undrawn(wanted)


def glyph_sentence(datasets: Mapping[str, Dataset]) -> str | None:
    """Return which letters in names of `datasets` and classes stay boxes, and what to do; None where none do."""
    rare = rare_letters(datasets)
    boxes = rare - covered(fallback_fonts(rare))
    if not boxes:
        return None
    words = [word for name, dataset in datasets.items() for word in _words(name, dataset) if boxes & set(word)]
    codes = ", ".join(f"{letter} (U+{ord(letter):04X})" for letter in sorted(boxes))
    return (
        f"No font on this machine has a glyph for {codes}, as in {', '.join(map(repr, words))}: paper and figures show "
        "boxes. Install a font that has them, such as Noto Sans CJK, and make paper and figures again."
    )


def _words(name: str, dataset: Dataset) -> list[str]:
    return [*dataset.counts, *dict.fromkeys((dataset.title, name, dataset.licence))]


@contextmanager
def font_folders(rare: str) -> Iterator[list[Path]]:
    """Yield the folders of fonts from this machine that have the `rare` letters: none where there are none."""
    fonts = fallback_fonts(frozenset(rare))
    if not fonts:
        yield []
        return
    with TemporaryDirectory() as folder:
        for font in fonts:
            shutil.copy(font, folder)
        yield [Path(folder)]


def untypeset(wanted: frozenset[str]) -> frozenset[str]:
    """Return which of the `wanted` letters Typst has no glyph for in the fonts that come with it.

    Typst does not tell. It draws the same box for each of them, as for a letter that no font has.
    """
    if not wanted:
        return frozenset()
    asked = {str(number): letter for number, letter in enumerate([NO_LETTER, *sorted(wanted)])}
    source = "".join(f'#page(width: 2cm, height: 2cm)[#sys.inputs.at("{number}")]\n' for number in asked)
    pages = cast(list[bytes], typst.compile(source.encode(), format="svg", ignore_system_fonts=True, sys_inputs=asked))
    box, *drawn = [set(re.findall(r'href="#(\w+)"', page.decode())) for page in pages]
    return frozenset(letter for letter, glyphs in zip(sorted(wanted), drawn, strict=True) if glyphs & box)
