"""Whether there is a backbone of a name, and which may have been meant: a study is read without torch."""

import ast
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cache
from importlib.metadata import version
from pathlib import Path

from medpeft.base.places import PROJECT
from medpeft.networks.encoders import Surveyed, encoder, surveyed, surveyed_version

ALIKE, MOST_MEANT = 0.7, 3  # likeness of names that may have been meant, and how many of them are named
OWN = Path(__file__).with_name("backbones.py")  # those that timm lacks


def unknown(backbone: str, weights_given: bool, others: Iterable[str] = ()) -> str | None:
    """Return why there is no such backbone, with the names that may have been meant, or None where there is one.

    Args:
        backbone: A name of timm's or of the project's own.
        weights_given: Whether the study may bring weights under a tag of its own, as its mirror does.
        others: The diffusion pipelines, which may have been meant.
    """
    architecture, dot, tag = backbone.partition(".")
    own = _with_weights_here(architecture) if architecture in _own() else None
    found = own or surveyed().get(architecture) or _of_another_timm(architecture)
    if not found:
        return f"timm has no backbone {architecture!r}{_meant(architecture, [*_own(), *others, *surveyed()])}"
    if tag in found.tags or (weights_given and tag) or not dot:
        return None
    tags = [f"{architecture}.{known}" for known in sorted(found.tags)]
    return f"{backbone!r} has no weights, and the study names no mirror that may have them{_meant(backbone, tags)}"


def _meant(name: str, known: Iterable[str]) -> str:
    likeness = {other: _likeness(name, other) for other in known}
    best = sorted((other for other in likeness if likeness[other] >= ALIKE), key=likeness.__getitem__, reverse=True)
    close = " or ".join(map(repr, best[:MOST_MEANT]))
    return f": did you mean {close}?" if close else ": timm.list_models(include_tags=True) names those there are"


def _likeness(name: str, other: str) -> float:
    """Return how alike two names are, or the first is to as long a beginning of the second, from 0 to 1."""
    return max(SequenceMatcher(None, name, part).ratio() for part in (other, other[: len(name)]))


@cache
def _own() -> frozenset[str]:
    """Return the names that the project adds to timm's registry, without importing timm."""
    tree = ast.parse(OWN.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return frozenset(f.name for f in functions if "register_model" in map(ast.unparse, f.decorator_list))


def _with_weights_here(architecture: str) -> Surveyed:
    """Return a backbone of the project's own; its tags are those of the weights that come with the project."""
    files = (PROJECT / "pretrained").glob(f"{architecture}.*.safetensors")
    return Surveyed(encoder(architecture), frozenset(file.name.split(".")[1] for file in files), frozenset())


def _of_another_timm(architecture: str) -> Surveyed | None:
    """Return a backbone that the table lacks, where timm is another one than the table was made with."""
    if version("timm") == surveyed_version():
        return None
    import timm  # takes seconds

    tagged = [name.partition(".")[2] for name in timm.list_models(f"{architecture}.*", include_tags=True)]
    known = timm.is_model(architecture)
    return Surveyed(encoder(architecture), frozenset(tagged), frozenset()) if known else None
