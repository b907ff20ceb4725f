"""The strategies: each is the module of its name beside this one, holding one function under `@strategy`.

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

from medpeft.errors import UserError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Strategy:
    """How to adapt a network.

    `adapt(model)` takes a network with every parameter frozen and, in place, adds modules or makes parameters
    trainable; the classification head is made trainable by the caller. `family` is `selective` (a subset of the old
    parameters), `additive` (new ones) or `baseline`; `encoders` are the kinds of network it is defined on.
    """

    name: str
    title: str
    family: str
    encoders: frozenset[str]
    source: str
    adapt: Callable[[nn.Module], None]

    @property
    def trains(self) -> str:
        """What it trains: the first line of its module without the name before a colon and the source in brackets."""
        line = (getattr(self.adapt, "__globals__", {}).get("__doc__") or "").partition("\n")[0]
        return re.sub(r"^[^:]*: | \([^()]*\d{4}[^()]*\)|\.$", "", line)

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


def strategy(name: str, *, title: str, family: str, encoders: set[str], source: str) -> Callable:
    """Register the decorated `adapt(model)` as the strategy `name`; see `Strategy` for the arguments."""

    def register(adapt: Callable[[nn.Module], None]) -> Callable[[nn.Module], None]:
        _strategies[name] = Strategy(name, title, family, frozenset(encoders), source, adapt)
        return adapt

    return register


def names() -> list[str]:
    """Return the names of all strategies, sorted, without importing them."""
    here = Path(__file__).parent
    return sorted(module.name for module in pkgutil.iter_modules([str(here)]) if module.name != "registry")


def load(name: str) -> Strategy:
    """Return the strategy `name`; an unknown one is a `UserError` that lists those there are."""
    if name not in names():
        raise UserError(f"there is no method {name!r}: choose among {', '.join(names())}")
    importlib.import_module(f"medpeft.methods.{name}")
    return _strategies[name]
