"""The strategies: each is the module of its name beside this one with one function under `@strategy`, or peft's tuner.

Listing them imports none of them, so that reading a study needs no torch.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medpeft import peft_tuners
from medpeft.errors import UserError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Strategy:
    """How to adapt a network.

    `adapt(model)` takes a network with every parameter frozen and, in place, adds modules or makes parameters
    trainable; the classification head is made trainable by the caller. `family` is `selective` (a subset of the old
    parameters), `additive` (new ones) or `baseline`; `encoders` are the kinds of network it is defined on.
    `trains` says in a few words what it trains. `export(model, folder)` writes what was trained in the format of
    another library, where there is one.
    """

    name: str
    title: str
    family: str
    encoders: frozenset[str]
    source: str
    trains: str
    adapt: Callable[[nn.Module], None]
    export: Callable[[nn.Module, Path], None] | None = None

    def entry(self) -> dict:
        """Return what the record of a run says of its strategy."""
        return {
            "title": self.title,
            "family": self.family,
            "encoders": sorted(self.encoders),
            "source": self.source,
            "trains": self.trains,
        }


_strategies: dict[str, Strategy] = {}


def strategy(
    name: str,
    *,
    title: str,
    family: str,
    encoders: set[str],
    source: str,
    export: Callable[[nn.Module, Path], None] | None = None,
) -> Callable:
    """Register the decorated `adapt(model)` as the strategy `name`; see `Strategy` for the arguments.

    What it trains is said by the first line of its module: `Name: what it trains (source).`
    """

    def register(adapt: Callable[[nn.Module], None]) -> Callable[[nn.Module], None]:
        line = (adapt.__globals__.get("__doc__") or "").partition("\n")[0]
        trains = re.sub(r"^[^:]*: | \([^()]*\d{4}[^()]*\)|\.$", "", line)
        _strategies[name] = Strategy(name, title, family, frozenset(encoders), source, trains, adapt, export)
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
    return frozenset(re.findall(r"\w+", found[1])) if found else load(name).encoders


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
    adapt = peft_tuners.adapt(name)
    return Strategy(name, name, "additive", _encoders_of_peft(name), f"peft, {name}", trains, adapt, export)


def _encoders_of_peft(name: str) -> frozenset[str]:
    return frozenset({"vit", "cnn"} if name in peft_tuners.ON_CONVOLUTIONS else {"vit"})
