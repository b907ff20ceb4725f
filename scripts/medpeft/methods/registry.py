"""The methods: each is the module of its name in the folder of its family, or a tuner of peft.

The module has a function under `@method`. Where the name means something else on another kind of network, it has a
function for that, under `@also`. Listing methods imports none of them, so that reading a study needs no torch: the
arguments of both decorators are literals, all but `export`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medpeft.base.errors import UserError
from medpeft.base.literals import decorations
from medpeft.methods import peft_tuners

if TYPE_CHECKING:
    from torch import nn


FOLDER = Path(__file__).parent  # one folder a family, one module a method
ENCODER_KINDS = frozenset({"cnn", "vit", "unet"})  # of networks that a method can be defined on

Adapt = Callable[["nn.Module"], None]
Export = Callable[["nn.Module", Path], None]


@dataclass(frozen=True)
class Definition:
    """What a method does to one kind of network.

    Attributes:
        adapt: Takes a network with every parameter frozen and, in place, adds modules or makes parameters trainable;
            the caller makes the classification head trainable. A parameter with a learning rate of its own carries it
            as `learning_rate`.
        export: Takes a trained network and a folder, and writes what was trained in the format of another library.
    """

    adapt: Adapt
    export: Export | None = None


@dataclass(frozen=True)
class Method:
    """How to adapt networks, under one name.

    Attributes:
        name: As in studies, paths and tables.
        title: As readers know it.
        family: `selective` (a subset of the network's parameters), `additive` (new ones) or `baseline`; its module lies
            in a folder of this name.
        source: The paper, or the library, that defines it.
        trains: What it trains, in a few words.
        definitions: What it does to each kind of network that it is defined on.
        on_features: Whether it trains the head alone, on features of the centre crops, computed once.
    """

    name: str
    title: str
    family: str
    source: str
    trains: str
    definitions: dict[str, Definition]
    on_features: bool = False

    @property
    def encoders(self) -> frozenset[str]:
        """The kinds of network that it is defined on."""
        return frozenset(self.definitions)

    def entry(self) -> dict[str, Any]:
        """Return what the record of a run says of its method; `declared` reads the same without importing it."""
        return {
            "title": self.title,
            "family": self.family,
            "encoders": sorted(self.encoders),
            "source": self.source,
            "trains": self.trains,
            "on_features": self.on_features,
        }


_loaded: dict[str, Method] = {}


def method(
    name: str,
    title: str,
    *,
    family: str,
    encoders: set[str],
    source: str,
    trains: str,
    export: Export | None = None,
    on_features: bool = False,
) -> Callable[[Adapt], Adapt]:
    """Register the decorated `adapt(model)` as the method `name` on `encoders`; see `Method` for the arguments."""

    def register(adapt: Adapt) -> Adapt:
        definitions = dict.fromkeys(encoders, Definition(adapt, export))
        _loaded[name] = Method(name, title, family, source, trains, definitions, on_features)
        return adapt

    return register


def also(name: str, encoder: str, export: Export | None = None) -> Callable[[Adapt], Adapt]:
    """Register the decorated `adapt(model)` as what the method `name`, defined above it, is on another `encoder`."""

    def register(adapt: Adapt) -> Adapt:
        if name not in _loaded:
            raise UserError(f"@also({name!r}) stands above @method({name!r}): move it below")
        _loaded[name].definitions[encoder] = Definition(adapt, export)
        return adapt

    return register


def names() -> list[str]:
    """Return the names of all methods, sorted, without importing them."""
    return sorted({*_modules(), *peft_tuners.names()})


def load(name: str) -> Method:
    """Return the method `name`.

    Raises:
        UserError: There is no such method; the message lists those there are.
    """
    if file := _modules().get(name):
        importlib.import_module(f"medpeft.methods.{file.parent.name}.{name}")
        return _loaded[name]
    if name in peft_tuners.names():
        importlib.import_module("peft")  # as a module of a method imports what it needs
        return _of_peft(name)
    raise UserError(f"there is no method {name!r}: {refusal(name) or 'choose among ' + ', '.join(names())}")


def refusal(name: str) -> str | None:
    """Return why peft's tuner `name` is no method here, or None where it is none of those."""
    reason = peft_tuners.REFUSED.get(name)
    return f"peft's tuner of this name does not work here, because {reason}" if reason else None


@cache  # asked for every run of a study
def declared(name: str) -> dict[str, Any]:
    """Return what the method `name` says of itself, as `Method.entry` does, without importing it.

    Raises:
        UserError: Its module does not register the one method of its name, lies in the folder of another family, or
            names a kind of network that there is not.
    """
    file = _modules().get(name)
    if file is None:
        return _of_peft(name).entry()
    own, others = (list(decorations(file, decorator, but=("export",))) for decorator in (method, also))
    if [arguments["name"] for arguments in own] != [name] or {arguments["name"] for arguments in others} - {name}:
        raise UserError(f"{file} has to register one method by @method, under its own name {name!r}: correct it")
    (said,) = own
    if said["family"] != file.parent.name:
        raise UserError(
            f"{file} is of the family {said['family']!r}: move it to the folder of that name, or correct it"
        )
    kinds = {*said["encoders"], *(arguments["encoder"] for arguments in others)}
    if not kinds <= ENCODER_KINDS:
        raise UserError(
            f"{file}: encoders is a set of {', '.join(sorted(ENCODER_KINDS))}, not {said['encoders']!r}: correct it"
        )
    return {
        "title": said["title"],
        "family": said["family"],
        "encoders": sorted(kinds),
        "source": said["source"],
        "trains": said["trains"],
        "on_features": said.get("on_features", False),
    }


def encoders(name: str) -> frozenset[str]:
    """Return the kinds of network that the method `name` is defined on, without importing it."""
    return frozenset(declared(name)["encoders"])


def on_features(name: str) -> bool:
    """Tell whether the method `name` trains on features that are computed once, without importing it."""
    return bool(declared(name)["on_features"])


def file_of(name: str) -> Path:
    """Return the file that defines the method `name`."""
    return _modules().get(name, Path(peft_tuners.__file__))


@cache
def _modules() -> dict[str, Path]:
    """Return the files of the methods that are modules, by name."""
    return {file.stem: file for file in sorted(FOLDER.glob("*/*.py")) if not file.stem.startswith("_")}


def _of_peft(name: str) -> Method:
    export = None if name in peft_tuners.SHARING else peft_tuners.export
    trains = "what peft's tuner of this name adds to queries and values, or to convolutions"
    definitions = dict.fromkeys(peft_tuners.encoders(name), Definition(peft_tuners.adapt(name), export))
    return Method(name, name, "additive", f"peft, {name}", trains, definitions)
