"""The strategies: each is the module of its name beside this one with a function under `@strategy`, or peft's tuner.

Where one name means something else on another kind of network, the module has a function for that, under `@also`.
Listing them imports none of them, so that reading a study needs no torch.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from medpeft import peft_tuners
from medpeft.errors import UserError

if TYPE_CHECKING:
    from torch import nn


Adapt = Callable[["nn.Module"], None]
Export = Callable[["nn.Module", Path], None]


@dataclass(frozen=True)
class Definition:
    """What a strategy does to one kind of network.

    `adapt(model)` takes a network with every parameter frozen and, in place, adds modules or makes parameters
    trainable; the classification head, where there is one, is made trainable by the caller. A parameter that wants a
    rate of its own carries it as `learning_rate`. `export(model, folder)` writes what was trained in the format of
    another library, where there is one.
    """

    adapt: Adapt
    export: Export | None = None


@dataclass(frozen=True)
class Strategy:
    """How to adapt networks, under one name.

    `family` is `selective` (a subset of the old parameters), `additive` (new ones) or `baseline`; `trains` says in a
    few words what it trains; `definitions` holds what it does to each kind of network that it is defined on. One that
    is `on_features` trains the head alone, on features that the frozen backbone computed once of the centre crops.
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

    def entry(self) -> dict:
        """Return what the record of a run says of its strategy."""
        return {
            "title": self.title,
            "family": self.family,
            "encoders": sorted(self.encoders),
            "source": self.source,
            "trains": self.trains,
            "on_features": self.on_features,
        }


_strategies: dict[str, Strategy] = {}


def strategy(
    name: str,
    *,
    title: str,
    family: str,
    encoders: set[str],
    source: str,
    export: Export | None = None,
    on_features: bool = False,
) -> Callable[[Adapt], Adapt]:
    """Register the decorated `adapt(model)` as the strategy `name` on `encoders`; see `Strategy` for the arguments.

    What it trains is said by the first line of its module: `Name: what it trains (source).`
    """

    def register(adapt: Adapt) -> Adapt:
        line = (adapt.__globals__.get("__doc__") or "").partition("\n")[0]
        trains = re.sub(r"^[^:]*: | \([^()]*\d{4}[^()]*\)|\.$", "", line)
        definitions = dict.fromkeys(encoders, Definition(adapt, export))
        _strategies[name] = Strategy(name, title, family, source, trains, definitions, on_features)
        return adapt

    return register


def also(name: str, encoder: str, export: Export | None = None) -> Callable[[Adapt], Adapt]:
    """Register the decorated `adapt(model)` as what the strategy `name`, defined above it, is on another `encoder`."""

    def register(adapt: Adapt) -> Adapt:
        _strategies[name].definitions[encoder] = Definition(adapt, export)
        return adapt

    return register


def names() -> list[str]:
    """Return the names of all strategies, sorted, without importing them: the modules here and the tuners of peft."""
    return sorted({*_modules(), *peft_tuners.names()})


def load(name: str) -> Strategy:
    """Return the strategy `name`; an unknown one is a `UserError` that lists those there are."""
    if name in _modules():
        importlib.import_module(f"medpeft.methods.{name}")
        return _strategies[name]
    if name in peft_tuners.names():
        importlib.import_module("peft")  # as a module of a strategy imports what it needs
        return _of_peft(name)
    raise UserError(f"there is no method {name!r}: {refusal(name) or 'choose among ' + ', '.join(names())}")


def refusal(name: str) -> str | None:
    """Return why peft's tuner `name` is not a strategy, or None where it is none of those."""
    reason = peft_tuners.REFUSED.get(name)
    return f"peft's tuner of this name does not work here, because {reason}" if reason else None


def encoders(name: str) -> frozenset[str]:
    """Return the kinds of network that the strategy `name` is defined on, as its module spells them, unimported."""
    if name not in _modules():
        return _encoders_of_peft(name)
    text = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    found = re.search(r"\bencoders=\{([^}]*)\}", text)
    others = re.findall(r'^@also\("\w+", "(\w+)"', text, re.MULTILINE)
    return frozenset([*re.findall(r"\w+", found[1]), *others]) if found else load(name).encoders


@cache  # asked for every run of a study
def on_features(name: str) -> bool:
    """Tell whether the strategy `name` trains on features computed once, as its module spells it, unimported."""
    return name in _modules() and "on_features=True" in (Path(__file__).parent / f"{name}.py").read_text("utf-8")


@cache
def code(name: str) -> list[str]:
    """Return the files below medpeft/, without suffix, that the strategy `name` consists of."""
    own = [f"methods/{name}"] if name in _modules() else ["peft_tuners"]
    found, folder = [], Path(__file__).parents[1]
    while own:
        found.append(own.pop())
        text = (folder / f"{found[-1]}.py").read_text(encoding="utf-8")
        imported = {
            module.replace(".", "/") for module in re.findall(r"^ *from medpeft\.(\S+) import", text, re.MULTILINE)
        }
        own += imported - {"errors", "files", "methods/registry", *own, *found}
    return sorted(found)


def _modules() -> list[str]:
    here = Path(__file__).parent
    return [module.name for module in pkgutil.iter_modules([str(here)]) if module.name != "registry"]


def _of_peft(name: str) -> Strategy:
    export = None if name in peft_tuners.SHARING else peft_tuners.export
    trains = "what peft's tuner of this name adds to queries and values, or to convolutions"
    definitions = dict.fromkeys(_encoders_of_peft(name), Definition(peft_tuners.adapt(name), export))
    return Strategy(name, name, "additive", f"peft, {name}", trains, definitions)


def _encoders_of_peft(name: str) -> frozenset[str]:
    return frozenset({"vit", "cnn"} if name in peft_tuners.ON_CONVOLUTIONS else {"vit"})
