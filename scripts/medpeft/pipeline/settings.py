"""The settings of a study: its configuration with the schema's defaults, checked before anything runs."""

import copy
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import product
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match

from medpeft.base.errors import UserError
from medpeft.base.places import PROJECT
from medpeft.data import registry as datasets
from medpeft.data.user_dataset import check_pattern
from medpeft.methods import registry as methods
from medpeft.networks.encoders import encoder

SCHEMA = PROJECT / "schemas" / "study.schema.yaml"
MULTIPLE = 8  # pixels that diffusers wants the sides of an image to be a multiple of


def complete(config: dict) -> dict:
    """Return a copy of `config` with the schema's defaults filled in.

    Raises:
        UserError: A key or value breaks the schema; a dataset or method does not exist; a method is not defined on a
            backbone of its grid; images would have a size that diffusers refuses. The message names the key.
    """
    settings = copy.deepcopy(config)
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    breach = best_match(_Filling(schema).iter_errors(settings))
    if breach:
        place = ".".join(map(str, breach.absolute_path)) or "the top level"
        hint = _allowed_keys(breach) if breach.validator == "additionalProperties" else ""
        raise UserError(f"the study's configuration is wrong at {place}: {breach.message}{hint}; see {SCHEMA.name}")
    low, high = settings["tuning"]["low"], settings["tuning"]["high"]
    if low >= high:
        raise UserError(f"the study's configuration is wrong: tuning.low {low:g} is not below tuning.high {high:g}")
    _check_own(settings["datasets"])
    _check_names(settings["generation"]["learning_rates"], methods.names(), "generation.learning_rates")
    for name, experiment in settings["experiments"].items():
        for place, grid in grids_of(name, experiment):
            for axis, known in (("datasets", [*datasets.names(), *settings["datasets"]]), ("methods", methods.names())):
                _check_names(grid[axis], known, f"experiments.{place}.{axis}")
            _check_pairs(grid, f"experiments.{place}", settings["generation"]["pipelines"])
            _check_size(grid, settings)
    return settings


def grids_of(name: str, experiment: dict | list[dict]) -> list[tuple[str, dict]]:
    """Return the grids of the experiment `name`, each with its place below `experiments`."""
    if isinstance(experiment, dict):
        return [(name, experiment)]
    return [(f"{name}.{number}", grid) for number, grid in enumerate(experiment)]


def _check_own(own: dict[str, dict]) -> None:
    """Refuse a dataset of the user's own that has the name of another, or a pattern for groups that finds none."""
    for name, declared in own.items():
        place = f"the study's configuration is wrong at datasets.{name}"
        if name in datasets.names():
            raise UserError(f"{place}: there is a dataset of this name already; choose another name")
        if declared["group"] and (reason := check_pattern(declared["group"])):
            raise UserError(f"{place}.group: {reason}; an example is '^(\\d+)_'")


def _allowed_keys(breach: ValidationError) -> str:
    """Return which keys there are, after the one that may have been meant."""
    schema: Any = breach.schema
    known = list(schema["properties"])
    given: Any = breach.instance
    unknown = next(key for key in given if key not in known)
    close = get_close_matches(unknown, known, n=1)
    return (f": did you mean {close[0]!r}?" if close else "") + f" (allowed: {', '.join(known)})"


def _check_names(given: Iterable[str], known: list[str], place: str) -> None:
    for name in given:
        if name not in known:
            close = " or ".join(map(repr, get_close_matches(name, known)))
            hint = f"did you mean {close}?" if close else f"there are {', '.join(known)}"
            hint = methods.refusal(name) or hint
            raise UserError(f"the study's configuration names {name!r} at {place}, which does not exist: {hint}")


def _check_pairs(grid: dict, place: str, pipelines: dict) -> None:
    """Raise `UserError` where a method is not defined on a backbone of its grid, as far as the backbone's name says."""
    for backbone, method in product(grid["backbones"], grid["methods"]):
        kinds = methods.encoders(method)
        kind = "unet" if backbone in pipelines else encoder(backbone)
        if kind not in kinds:
            remedy = "give them grids of their own, for an experiment may be a list of grids"
            if kinds == {"unet"}:
                close = get_close_matches(backbone, pipelines, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(pipelines)}"
                remedy = f"a diffusion pipeline is named under generation.pipelines: {hint}"
            raise UserError(
                f"the study's configuration pairs the method {method!r}, which is defined on "
                f"{', '.join(sorted(kinds))}, with the backbone {backbone!r}, a {kind}, at {place}: {remedy}"
            )


def _check_size(grid: dict, settings: dict) -> None:
    """Refuse images of a size that diffusers does not generate, where a backbone is a diffusion pipeline."""
    size = settings["generation"]["image_size"] or settings["image_size"]
    if size % MULTIPLE and not settings["generation"]["pipelines"].keys().isdisjoint(grid["backbones"]):
        raise UserError(
            "the study's configuration is wrong: diffusion pipelines generate images whose sides are a multiple of "
            f"{MULTIPLE} pixels, not {size}: change image_size, or set generation.image_size for them alone"
        )


def _fill_defaults(
    validator: Any, properties: dict[str, Any], instance: Any, schema: dict[str, Any]
) -> Iterator[ValidationError]:
    """Set the defaults of `properties` before they are validated, so that nested defaults are filled too.

    Keys take the order of the schema: to Snakemake, settings in another order are other settings.
    """
    if isinstance(instance, dict):
        given = dict(instance)
        instance.clear()
        for name, part in properties.items():
            if name in given or "default" in part:
                instance[name] = given[name] if name in given else copy.deepcopy(part["default"])
        instance.update(given)
    yield from Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)


_Filling = validators.extend(Draft202012Validator, {"properties": _fill_defaults})  # type: ignore[no-untyped-call]
