"""The settings of a study: its configuration with the schema's defaults, checked before anything runs."""

import copy
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import product
from pathlib import Path

import yaml

from medpeft.base.errors import UserError
from medpeft.data import registry as datasets
from medpeft.data.labels import LabelKind, refusal
from medpeft.data.own.groups import check_pattern
from medpeft.data.own.several import refused_keys
from medpeft.methods import registry as methods
from medpeft.networks.available import unknown
from medpeft.networks.encoders import encoder, patch_of, refused
from medpeft.pipeline.populations import check_attributes, check_shared_test_set, check_subgroups, check_test_on
from medpeft.pipeline.schema import fill
from medpeft.statistics.metrics import can_choose

MULTIPLE = 8  # pixels that diffusers wants the sides of an image to be a multiple of
INCEPTION = "inception"  # the extractor that is no backbone
LONGEST_NAME = 100  # bytes: names of files, which are made of these, have up to 255
KINDS = {kind: f"a {kind}" for kind in ("cnn", "vit", "unet")} | {"other": "which is none of these"}
LARGEST_SEED = 2**32 - 1  # that numpy's RandomState takes, of which scikit-learn and Optuna draw


def complete(config: dict) -> dict:
    """Return a copy of `config` with the schema's defaults filled in.

    Raises:
        UserError: A key or value breaks the schema; a dataset or method does not exist; a method is not defined on a
            backbone of its grid; images would have a size that diffusers refuses. The message names the key.
    """
    settings = copy.deepcopy(config)
    fill(settings)
    _check_own_names(settings)
    _check_ranges(settings)
    _check_own(settings["datasets"])
    check_attributes(settings["datasets"])
    _check_keys_of_datasets(settings)
    _check_names(settings["generation"]["learning_rates"], methods.names(), "generation.learning_rates")
    if settings["generation"]["extractor"] != INCEPTION:
        _check_backbones([settings["generation"]["extractor"]], settings, "generation.extractor")
    for name, experiment in settings["experiments"].items():
        for place, grid in grids_of(name, experiment):
            for axis, known in (("datasets", [*datasets.names(), *settings["datasets"]]), ("methods", methods.names())):
                _check_names(grid[axis], known, f"experiments.{place}.{axis}")
            _check_backbones(grid["backbones"], settings, f"experiments.{place}.backbones")
            _check_fractions(grid["fractions"], f"experiments.{place}.fractions")
            _check_pairs(grid, f"experiments.{place}", settings["generation"]["pipelines"])
            _check_size(grid, settings)
            _check_downstream(grid, settings, f"experiments.{place}")
            _check_patches(grid["backbones"], settings, f"experiments.{place}.backbones")
            _check_primary(settings["primary_metric"], grid, settings)
    _check_repeated(settings)
    classified = _classified(settings)
    check_subgroups(settings, classified)
    check_test_on(settings, classified)
    check_shared_test_set(settings)
    return settings


def grids_of(name: str, experiment: dict | list[dict]) -> list[tuple[str, dict]]:
    """Return the grids of the experiment `name`, each with its place below `experiments`."""
    if isinstance(experiment, dict):
        return [(name, experiment)]
    return [(f"{name}.{number}", grid) for number, grid in enumerate(experiment)]


def _grids(settings: dict) -> list[dict]:
    """Return the grids of all experiments."""
    return [grid for name, experiment in settings["experiments"].items() for _, grid in grids_of(name, experiment)]


def _labels_of(name: str, settings: dict) -> LabelKind:
    """Return the kind of labels that the images of a dataset have."""
    return datasets.load(name, settings["datasets"].get(name)).labels


def _classified(settings: dict) -> list[str]:
    """Return the datasets on which classifiers are trained."""
    pipelines = settings["generation"]["pipelines"].keys()
    trained = (grid["datasets"] for grid in _grids(settings) if {*grid["backbones"]} - pipelines)
    return list(dict.fromkeys(name for names in trained for name in names))


def _check_own_names(settings: dict) -> None:
    """Refuse a name of the user's own that no folder may have, or that YAML or a table would take for no text."""
    named = {"study": [settings["study"]], "generation.pipelines": settings["generation"]["pipelines"]}
    named |= {place: settings[place] for place in ("datasets", "experiments")}
    for place, names in named.items():
        for name in names:
            where = f"the study's configuration is wrong at {place}: the name {name!r}"
            if not _is_text(name):
                raise UserError(f"{where} reads as a number or a truth value: choose another, such as 'set_{name}'")
            if (size := len(name.encode())) > LONGEST_NAME:
                raise UserError(f"{where} has {size} bytes: choose one of up to {LONGEST_NAME}")


def _is_text(name: str) -> bool:
    """Tell whether YAML and a CSV file both read `name` as the text that it is."""
    try:
        float(name)
    except ValueError:
        return isinstance(yaml.safe_load(name), str) and name.lower() not in ("true", "false")
    return False


def _check_ranges(settings: dict) -> None:
    """Refuse ranges in the wrong order, keys that exclude each other, and a search whose last seed no library takes."""
    wrong, tuning = "the study's configuration is wrong:", settings["tuning"]
    if tuning["low"] >= tuning["high"]:
        raise UserError(f"{wrong} tuning.low {tuning['low']:g} is not below tuning.high {tuning['high']:g}")
    low, high = settings["recipe"]["crop_scale"]
    if low > high:
        raise UserError(f"{wrong} recipe.crop_scale is [{low:g}, {high:g}]: write the smaller share first")
    if settings["recipe"]["batchnorm"] == "updated" and settings["recipe"]["gradient_checkpointing"]:
        raise UserError(
            f"{wrong} with recipe.gradient_checkpointing activations are computed twice, and so recipe.batchnorm: "
            "updated would update the statistics twice: take one of both out"
        )
    if tuning["seed"] + tuning["trials"] - 1 > LARGEST_SEED:
        raise UserError(
            f"{wrong} each trial has a seed of its own, tuning.seed and those that follow, up to {LARGEST_SEED}: write "
            f"a tuning.seed of up to {LARGEST_SEED + 1 - tuning['trials']}"
        )
    if tuning["per_fraction"] and tuning["epochs"] is not None:
        raise UserError(
            f"{wrong} tuning.per_fraction gives trials the steps of the runs of their fraction, and tuning.epochs "
            "another number: leave one of them out"
        )


def _check_repeated(settings: dict) -> None:
    """Refuse splits or searches of each seed that cannot be, or that would not keep test images unseen."""
    wrong, tuning, split = "the study's configuration is wrong:", settings["tuning"], settings["split"]
    grids = _grids(settings)
    largest = max(seed for grid in grids for seed in grid["seeds"])
    if tuning["per_seed"] and tuning["seed"] + (largest + 1) * tuning["trials"] - 1 > LARGEST_SEED:
        raise UserError(
            f"{wrong} under tuning.per_seed the trials of the training seed {largest} have seeds up to tuning.seed + "
            f"{largest + 1} * tuning.trials - 1, beyond {LARGEST_SEED}: write smaller seeds"
        )
    if not split["per_seed"]:
        return
    if not tuning["per_seed"]:
        raise UserError(
            f"{wrong} under split.per_seed a search that seeds share would choose its rate on test images of other "
            "seeds: set tuning.per_seed to true as well"
        )
    if split["seed"] + largest > LARGEST_SEED:
        raise UserError(
            f"{wrong} under split.per_seed the split of the training seed {largest} has the seed split.seed + "
            f"{largest}, beyond {LARGEST_SEED}: write smaller seeds"
        )
    if split["protocol"] == "paper" or split["files"]:
        given = "split.files names" if split["files"] else "split.protocol: paper takes"
        raise UserError(
            f"{wrong} {given} the split that was published, of which there is one, and split.per_seed asks for one a "
            "seed: leave one of them out"
        )
    for grid in grids:
        if pipelines := [name for name in grid["backbones"] if name in settings["generation"]["pipelines"]]:
            raise UserError(
                f"{wrong} split.per_seed is for classifiers, and {pipelines[0]!r} is a diffusion pipeline, whose "
                "images are compared with those of one test set: give it a study of its own"
            )


def _check_fractions(fractions: list[float], place: str) -> None:
    """Refuse a fraction that is another one in the path of its runs, which has six digits."""
    for fraction in fractions:
        if float(f"{fraction:g}") != fraction:
            raise UserError(
                f"the study's configuration is wrong at {place}: {fraction!r} has more digits than a run's path, "
                f"which has six: write {fraction:g}"
            )


def _check_own(own: dict[str, dict]) -> None:
    """Refuse a dataset of the user's own that has the name of another, or a pattern for groups that finds none."""
    for name, declared in own.items():
        place = f"the study's configuration is wrong at datasets.{name}"
        if name in datasets.names():
            raise UserError(f"{place}: there is a dataset of this name already; choose another name")
        if declared["group"] and (reason := check_pattern(declared["group"])):
            raise UserError(f"{place}.group: {reason}; an example is '^(\\d+)_'")
        if reason := refusal(declared["task"], declared["classes"], declared["positive"]) or refused_keys(declared):
            raise UserError(f"{place}: {reason}")


def _check_keys_of_datasets(settings: dict) -> None:
    """Refuse keys that speak of a dataset or an archive which the study does not have: they would do nothing."""
    grids = _grids(settings)
    used = list(dict.fromkeys(name for grid in grids for name in grid["datasets"] if name in datasets.names()))
    own = settings["datasets"]
    files = settings["split"]["files"]
    for place, given in (("split.files", files), ("accept", settings["accept"])):
        _check_names(given, [*used, *own], place, "is no dataset of it")
    for name, path in files.items():
        if not Path(path).is_file():
            raise UserError(
                f"the study's configuration names {path!r} at split.files.{name}, which is no file here: correct it, "
                "or leave it out to split by the protocol"
            )
    loaded = [datasets.load(name, own.get(name)) for name in [*used, *own]]
    backbones = {backbone for grid in grids for backbone in grid["backbones"]} | {settings["generation"]["extractor"]}
    known = [archive.name for dataset in loaded for archive in dataset.archives]
    known += [f"{name}.safetensors" for name in sorted(backbones)]
    _check_names(settings["checksums"], known, "checksums", "it does not fetch")


def _check_names(given: Iterable[str], known: list[str], place: str, fault: str = "does not exist") -> None:
    for name in given:
        if name not in known:
            close = " or ".join(map(repr, get_close_matches(name, known)))
            hint = f"did you mean {close}?" if close else f"there are {', '.join(known)}"
            hint = methods.refusal(name) or hint
            raise UserError(f"the study's configuration names {name!r} at {place}, which {fault}: {hint}")


def _check_primary(name: str, grid: dict, settings: dict) -> None:
    """Refuse a primary metric that validation alone cannot compute, or that is not defined for a dataset's labels."""
    for dataset in grid["datasets"]:
        kind = _labels_of(dataset, settings)
        if name not in can_choose(kind):
            raise UserError(
                f"the study's configuration is wrong at primary_metric: {name!r} cannot choose an epoch on {dataset}, "
                f"whose labels are {kind}: write one of {', '.join(can_choose(kind))}"
            )


def _check_backbones(given: list[str], settings: dict, place: str) -> None:
    """Refuse a backbone that neither timm nor the project nor the study has."""
    pipelines = settings["generation"]["pipelines"]
    for backbone in given:
        if backbone not in pipelines and (reason := unknown(backbone, bool(settings["mirror"]), pipelines)):
            raise UserError(f"the study's configuration names {backbone!r} at {place}: {reason}")


def _check_pairs(grid: dict, place: str, pipelines: dict) -> None:
    """Raise `UserError` where a method is not defined on a backbone of its grid, or cannot adapt it."""
    for backbone, method in product(grid["backbones"], grid["methods"]):
        kinds = methods.encoders(method)
        kind = "unet" if backbone in pipelines else encoder(backbone)
        if kind not in kinds:
            remedy = "give them grids of their own, for an experiment may be a list of grids"
            if kind == "other":
                remedy = "no method here adapts it; take it out, or name another backbone"
            if kinds == {"unet"}:
                remedy = f"a diffusion pipeline is named under generation.pipelines: there are {', '.join(pipelines)}"
            raise UserError(
                f"the study's configuration pairs the method {method!r}, which is defined on "
                f"{', '.join(sorted(kinds))}, with the backbone {backbone!r}, {KINDS[kind]}, at {place}: {remedy}"
            )
        if kind != "unet" and method in refused(backbone):
            raise UserError(
                f"the study's configuration pairs the method {method!r} with the backbone {backbone!r}, whose layers "
                f"it cannot adapt, at {place}: give them grids of their own, for an experiment may be a list of grids"
            )


def _check_patches(backbones: list[str], settings: dict, place: str) -> None:
    """Refuse images that a transformer cannot divide into patches: it would not see their last rows and columns."""
    size = settings["image_size"]
    for backbone in backbones:
        if rest := size % (patch := patch_of(backbone)):
            raise UserError(
                f"the study's configuration names {backbone!r} at {place}, which sees patches of {patch} pixels, and "
                f"image_size {size} is no multiple of that: write {size - rest or patch} or {size - rest + patch}"
            )


def _check_size(grid: dict, settings: dict) -> None:
    """Refuse images of a size that diffusers does not generate, where a backbone is a diffusion pipeline."""
    size = settings["generation"]["image_size"] or settings["image_size"]
    if size % MULTIPLE and not settings["generation"]["pipelines"].keys().isdisjoint(grid["backbones"]):
        raise UserError(
            "the study's configuration is wrong: diffusion pipelines generate images whose sides are a multiple of "
            f"{MULTIPLE} pixels, not {size}: change image_size, or set generation.image_size for them alone"
        )


def _check_downstream(grid: dict, settings: dict, place: str) -> None:
    """Refuse a classifier of generated images where images may have several labels: it gives each one class."""
    generates = not settings["generation"]["pipelines"].keys().isdisjoint(grid["backbones"])
    if not (generates and settings["generation"]["downstream"]):
        return
    for name in grid["datasets"]:
        if _labels_of(name, settings) == "multi-label":
            raise UserError(
                f"the study's configuration pairs diffusion pipelines with the dataset {name!r} at {place}: its images "
                "may have several labels, and the classifier of generated images gives each one class; set "
                "generation.downstream to 0"
            )
