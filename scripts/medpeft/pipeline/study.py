"""A study: validated settings and the grid of runs that they ask for."""

import copy
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import product

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match

from medpeft.base.errors import UserError
from medpeft.base.places import PROJECT
from medpeft.base.runs import Run
from medpeft.data import registry as datasets
from medpeft.data.user_dataset import check_pattern
from medpeft.methods import registry as methods
from medpeft.statistics.blocks import encoder, ranks_can_be_tested

SCHEMA = PROJECT / "schemas" / "study.schema.yaml"
CENTRE_SHARE = 0.875  # share of the stored image that the centre crop of evaluation keeps, as in timm (224 of 256)

MULTIPLE = 8  # pixels that diffusers wants the sides of an image to be a multiple of


class Study:
    """The settings of one study, complete and checked, and what follows from them.

    Raises `UserError` naming the key where `config` breaks the schema, names an unknown dataset or method, or
    asks a pipeline for images of a size that diffusers refuses.
    """

    def __init__(self, config: dict):
        self.settings = _complete(config)
        self.name = self.settings["study"]
        self.experiments = self.settings["experiments"]
        self.gpus = int(self.settings["device"] == "cuda")
        self.pipelines = self.settings["generation"]["pipelines"]
        if self.generated_size % MULTIPLE and self.runs(task="text-to-image"):
            raise UserError(
                f"the study's configuration is wrong: pipelines generate images whose sides are a multiple of "
                f"{MULTIPLE} pixels, not {self.generated_size}: change image_size, "
                "or set generation.image_size for them alone"
            )

    @property
    def generated_size(self) -> int:
        """The height and width in pixels of the images that pipelines learn from and generate."""
        return self.settings["generation"]["image_size"] or self.settings["image_size"]

    @property
    def recipe(self) -> dict:
        """The recipe of a run, image size and device included."""
        return self.settings["recipe"] | {key: self.settings[key] for key in ("image_size", "device")}

    @property
    def trial_recipe(self) -> dict:
        """The recipe of a trial of the search: a run's, with the search's own number of epochs where it has one."""
        return self.recipe | {"epochs": self.settings["tuning"]["epochs"] or self.recipe["epochs"]}

    def protocol(self, dataset: str) -> str:
        """Return how `dataset` is split: `given` where the study names a file, else its protocol."""
        split = self.settings["split"]
        return "given" if dataset in split["files"] else split["protocol"]

    @property
    def unet_recipe(self) -> dict:
        """The recipe of a run whose backbone is a pipeline."""
        return self._generation(
            "steps",
            "batch_size",
            "micro_batch",
            "weight_decay",
            "caption_dropout",
            "min_snr_gamma",
            "ema_decay",
            "precision",
            "threads",
        )

    @property
    def sampling(self) -> dict:
        """How images are generated."""
        sampling = self._generation("scheduler", "sampling_steps", "guidance", "sampling_batch", "precision", "threads")
        return sampling | {"image_size": self.generated_size}

    def generated(self, part: str) -> tuple[int, int]:
        """Return for how many captions of the part `test` or `train` a run generates images, and how often."""
        settings = self.settings["generation"]
        return {"test": (settings["images"], settings["repeats"]), "train": (settings["downstream"], 1)}[part]

    def _generation(self, *names: str) -> dict:
        return {name: self.settings["generation"][name] for name in names} | {"device": self.settings["device"]}

    def unet_rate(self, method: str) -> float:
        """Return the learning rate of `method` on a U-Net."""
        settings = self.settings["generation"]
        return settings["learning_rates"].get(method, settings["learning_rate"])

    def asked(self, run: Run) -> dict:
        """Return what the study asks of `run` beyond its name, by the names under which its record holds it."""
        if self.task(run) == "text-to-image":
            return {"recipe": self.unet_recipe, "learning_rate": self.unet_rate(run.method)}
        return {"recipe": self.recipe}

    def task(self, run: Run) -> str:
        """Return `text-to-image` for a run whose backbone is a pipeline, `classification` for any other."""
        return "text-to-image" if run.backbone in self.pipelines else "classification"

    def runs(self, experiment: str | None = None, task: str | None = None) -> list[Run]:
        """Return the distinct runs of one experiment, or of all, in grid order; of one task, or of both."""
        names = [experiment] if experiment else list(self.experiments)
        axes = ("datasets", "backbones", "methods", "fractions", "seeds")
        grids = [grid for name in names for _, grid in _grids(name, self.experiments[name])]
        cells = (cell for grid in grids for cell in product(*(map(_text, grid[axis]) for axis in axes)))
        runs = dict.fromkeys(Run(*cell) for cell in cells)
        return [run for run in runs if task in (None, self.task(run))]

    def shown(self) -> list[Run]:
        """Return the runs whose images figure 2 shows: of table 4, each pipeline's largest fraction and first seed."""
        grids = {}
        for run in self.runs("table4", "text-to-image") if "table4" in self.experiments else []:
            grids.setdefault((run.dataset, run.backbone), []).append(run)
        firsts = {pair: max(runs, key=lambda run: float(run.fraction)) for pair, runs in grids.items()}
        return [run for pair, runs in grids.items() for run in runs if run[3:] == firsts[pair][3:]]

    def values(self, axis: str, task: str | None = None) -> list[str]:
        """Return the distinct values of one field of `Run` over the runs of a task, or all, in grid order."""
        return list(dict.fromkeys(getattr(run, axis) for run in self.runs(task=task)))

    def has_blocks(self) -> bool:
        """Tell whether some kind of encoder has, at one fraction, enough blocks and methods to test ranks over."""
        return ranks_can_be_tested(self.runs(task="classification"))


def stored_size(size: int) -> int:
    """Return the height and width at which images are stored whose centre of `size` pixels networks see."""
    return round(size / CENTRE_SHARE)


def _text(value: str | float) -> str:
    """Return `value` as it stands in a path: 1.0 and 1 are the same fraction."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _complete(config: dict) -> dict:
    """Return a copy of `config` with the schema's defaults filled in; a breach is a `UserError` that names its key."""
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
        for place, grid in _grids(name, experiment):
            for axis, known in (("datasets", [*datasets.names(), *settings["datasets"]]), ("methods", methods.names())):
                _check_names(grid[axis], known, f"experiments.{place}.{axis}")
            _check_pairs(grid, f"experiments.{place}", settings["generation"]["pipelines"])
    return settings


def _check_own(own: dict[str, dict]) -> None:
    """Refuse a dataset of the user's own that has the name of another, or a pattern for groups that finds none."""
    for name, declared in own.items():
        place = f"the study's configuration is wrong at datasets.{name}"
        if name in datasets.names():
            raise UserError(f"{place}: there is a dataset of this name already; choose another name")
        if declared["group"] and (reason := check_pattern(declared["group"])):
            raise UserError(f"{place}.group: {reason}; an example is '^(\\d+)_'")


def _grids(name: str, experiment: dict | list[dict]) -> list[tuple[str, dict]]:
    """Return the grids of the experiment `name`, each with its place below `experiments`."""
    if isinstance(experiment, dict):
        return [(name, experiment)]
    return [(f"{name}.{number}", grid) for number, grid in enumerate(experiment)]


def _allowed_keys(breach: ValidationError) -> str:
    """Return which keys there are, after the one that may have been meant."""
    known = list(breach.schema["properties"])
    unknown = next(key for key in breach.instance if key not in known)
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
                remedy = f"a pipeline is named under generation.pipelines: {hint}"
            raise UserError(
                f"the study's configuration pairs the method {method!r}, which is defined on "
                f"{', '.join(sorted(kinds))}, with the backbone {backbone!r}, a {kind}, at {place}: {remedy}"
            )


def _fill_defaults(validator, properties, instance, schema):
    """Set the defaults of `properties` before they are validated, so that nested defaults are filled too."""
    if isinstance(instance, dict):
        for name, part in properties.items():
            if "default" in part:
                instance.setdefault(name, copy.deepcopy(part["default"]))
    yield from Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)


_Filling = validators.extend(Draft202012Validator, {"properties": _fill_defaults})
