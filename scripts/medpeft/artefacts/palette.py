"""How a method looks: one name, colour and marker in every table and figure.

The colours are those of Okabe & Ito (2008), which differ to people with any colour vision. Kindred methods share a
colour and differ in their marker; those that one figure shows together differ in both.
"""

from collections.abc import Iterable
from typing import NamedTuple

from medpeft.methods.registry import declared, names

BLACK, GREY, ORANGE, SKY, GREEN = "#000000", "#7f7f7f", "#e69f00", "#56b4e9", "#009e73"
BLUE, VERMILLION, PURPLE, WINE = "#0072b2", "#d55e00", "#cc79a7", "#661100"


class Style(NamedTuple):
    """The short name, colour and matplotlib marker of a method."""

    label: str
    colour: str
    marker: str


STYLES = {
    "untuned": Style("Untuned", GREY, "x"),
    "full": Style("Full fine-tuning", BLACK, "o"),
    "linear_probe": Style("Linear probing", GREY, "X"),
    "tsa": Style("TSA", BLUE, "p"),
    "batchnorm": Style("BatchNorm", ORANGE, ">"),
    "bias": Style("Bias", GREEN, "v"),
    "ssf": Style("SSF", VERMILLION, "D"),
    "attention": Style("Attention", PURPLE, "P"),
    "layernorm": Style("LayerNorm", ORANGE, "<"),
    "bitfit": Style("BitFit", GREEN, "^"),
    "lora": Style("LoRA", BLUE, "s"),
    "adaptformer": Style("AdaptFormer", SKY, "*"),
    "norm": Style("Norm", ORANGE, "h"),
    "bias_norm_attention": Style("Bias + norm + attention", SKY, "8"),
    "svdiff": Style("SV-Diff", VERMILLION, "d"),
    "difffit": Style("DiffFit", WINE, "H"),
}
SPARE_COLOURS = (WINE, SKY, PURPLE, GREEN, BLUE, ORANGE, VERMILLION)
SPARE_MARKERS = ("$1$", "$2$", "$3$", "$4$", "$5$", "$6$", "$7$", "$8$", "$9$")


def style(method: str) -> Style:
    """Return the style of `method`.

    One that is not in `STYLES` has its own title, and a colour and marker that depend on its name alone.
    """
    if method in STYLES:
        return STYLES[method]
    number = sum(method.encode())
    colour, marker = SPARE_COLOURS[number % len(SPARE_COLOURS)], SPARE_MARKERS[number % len(SPARE_MARKERS)]
    title = declared(method)["title"] if method in names() else method.replace("_", " ")
    return Style(title, colour, marker)


def in_order(methods: Iterable[str]) -> list[str]:
    """Return the distinct `methods` in the order in which tables and legends show them: untuned, baselines, methods."""
    known = list(STYLES)
    return sorted(set(methods), key=lambda method: (known.index(method) if method in STYLES else len(known), method))
