"""A study: validated settings and the grid of runs that they ask for."""

from collections.abc import Callable
from itertools import product

from medpeft.artefacts.registry import Artefact
from medpeft.base.errors import UserError
from medpeft.base.runs import Run, Search
from medpeft.data import registry as datasets
from medpeft.pipeline.settings import complete, grids_of
from medpeft.statistics import registry as metrics
from medpeft.statistics.blocks import ranks_can_be_told

SHARING = ("per_fraction", "per_seed", "counterpart")  # keys of `tuning` that decide which runs share a search
CENTRE_SHARE = 0.875  # share of the stored image that the centre crop of evaluation keeps, as in timm (224 of 256)


class Study:
    """The settings of one study, complete and checked, and what follows from them.

    Args:
        config: What the user wrote, as Snakemake reads it.

    Raises:
        UserError: Something in `config` cannot be: see `medpeft.pipeline.settings.complete`.
    """

    def __init__(self, config: dict):
        self.settings = complete(config)
        self.name = self.settings["study"]
        self.experiments = self.settings["experiments"]
        self.gpus = int(self.settings["device"] == "cuda")
        self.pipelines = self.settings["generation"]["pipelines"]

    @property
    def generated_size(self) -> int:
        """The height and width in pixels of the images that diffusion pipelines learn from and generate."""
        return self.settings["generation"]["image_size"] or self.settings["image_size"]

    def stored_folder(self, size: int) -> str:
        """Return what the folder is called of stored images of which networks see `size` pixels."""
        fit = self.settings["image_fit"]
        return fitted_folder(stored_size(size, fit), fit)

    @property
    def recipe(self) -> dict:
        """The recipe of a run, image size, device and the metric that chooses its epoch included."""
        return self.settings["recipe"] | {key: self.settings[key] for key in ("image_size", "device", "primary_metric")}

    @property
    def primary_entry(self) -> str:
        """What the registry of metrics says of the primary one: training depends on it, and on no other metric."""
        return metrics.entry(self.settings["primary_metric"])

    @property
    def trial_recipe(self) -> dict:
        """The recipe of a trial of the search: a run's, with the search's own number of epochs where it has one."""
        return self.recipe | {"epochs": self.settings["tuning"]["epochs"] or self.recipe["epochs"]}

    @property
    def question(self) -> dict:
        """What the study asks of its methods: see `medpeft.statistics.compare.Question`."""
        return {
            "primary": self.settings["primary_metric"],
            "margin": self.settings["margin"],
            "own_splits": self.settings["split"]["per_seed"],
        }

    @property
    def labels(self) -> dict[str, dict]:
        """The labels of every dataset of classification, as a record tells them."""
        found = {name: datasets.load(name, self.settings["datasets"].get(name)) for name in self._classified()}
        return {name: dataset.told_labels().entry() for name, dataset in found.items()}

    def _classified(self) -> list[str]:
        return self.values("dataset", task="classification")

    def search_of(self, run: Run) -> Search:
        """Return the search that gives `run` its learning rate."""
        tuning = self.settings["tuning"]
        return run.search(tuning["per_fraction"], tuning["per_seed"])

    def tuning(self, fraction: str | None = None, seed: str | None = None) -> dict:
        """Return how one search is made, that of a `fraction` or a `seed` where these have their own.

        The seeds of searches lie as far apart as one has trials, each of which has a seed of its own: no two searches
        share a draw.
        """
        tuning = {key: value for key, value in self.settings["tuning"].items() if key not in SHARING}
        if fraction is not None:
            tuning["of_run"] = float(fraction)
        if seed is not None:
            tuning["seed"] += int(seed) * tuning["trials"]
        return tuning

    @property
    def decisive_tuning(self) -> dict:
        """What the study says of the searches, without what decides none of them."""
        return {key: value for key, value in self.settings["tuning"].items() if key != "counterpart"}

    def split_seed(self, seed: str) -> int:
        """Return the seed of the split that runs of a training `seed` have."""
        split = self.settings["split"]
        return split["seed"] + (int(seed) if split["per_seed"] else 0)

    def splits(self, dataset: str) -> str:
        """Return the folder of the split of `dataset` that is audited: the only one, or that of the first seed."""
        folder = f"data/splits/{dataset}/{self.name}"
        return f"{folder}/{self.first_seed(dataset)}" if self.settings["split"]["per_seed"] else folder

    def first_seed(self, dataset: str) -> str:
        """Return the training seed of the first run on `dataset`."""
        return next(run.seed for run in self.runs() if run.dataset == dataset)

    def protocol(self, dataset: str) -> str:
        """Return how `dataset` is split: `given` where the study names a file, else its protocol."""
        split = self.settings["split"]
        return "given" if dataset in split["files"] else split["protocol"]

    def decisive_split(self, dataset: str) -> dict:
        """Return what the study says of the split of `dataset`, without what decides none of its images."""
        split = {key: value for key, value in self.settings["split"].items() if key not in ("counterpart", "files")}
        return split | {"file": self.settings["split"]["files"].get(dataset)}

    @property
    def unet_recipe(self) -> dict:
        """The recipe of a run whose backbone is a diffusion pipeline."""
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

    def generated(self, split: str) -> tuple[int, int]:
        """Return for how many captions of a split, `test` or `train`, a run generates images, and how often."""
        settings = self.settings["generation"]
        return {"test": (settings["images"], settings["repeats"]), "train": (settings["downstream"], 1)}[split]

    def _generation(self, *names: str) -> dict:
        return {name: self.settings["generation"][name] for name in names} | {"device": self.settings["device"]}

    def unet_learning_rate(self, method: str) -> float:
        """Return the learning rate of `method` on a U-Net."""
        settings = self.settings["generation"]
        return settings["learning_rates"].get(method, settings["learning_rate"])

    def asked(self, run: Run) -> dict:
        """Return what the study asks of `run` beyond its name, by the names under which its record holds it."""
        if self.task(run) == "text-to-image":
            return {"recipe": self.unet_recipe, "learning_rate": self.unet_learning_rate(run.method)}
        return {"recipe": self.recipe}

    def task(self, run: Run) -> str:
        """Return `text-to-image` for a run whose backbone is a diffusion pipeline, `classification` for any other."""
        return "text-to-image" if run.backbone in self.pipelines else "classification"

    def runs(self, experiment: str | None = None, task: str | None = None) -> list[Run]:
        """Return the distinct runs of one experiment, or of all, in grid order; of one task, or of both."""
        names = [experiment] if experiment else list(self.experiments)
        axes = ("datasets", "backbones", "methods", "fractions", "seeds")
        grids = [grid for name in names for _, grid in grids_of(name, self.experiments[name])]
        cells = (cell for grid in grids for cell in product(*(map(_text, grid[axis]) for axis in axes)))
        runs = dict.fromkeys(Run(*cell) for cell in cells)
        return [run for run in runs if task in (None, self.task(run))]

    def full_data(self, dataset: str) -> list[Run]:
        """Return the runs of classification on `dataset` with the largest fraction of each backbone, in grid order."""
        runs = [run for run in self.runs(task="classification") if run.dataset == dataset]
        most: dict[str, float] = {}
        for run in runs:
            most[run.backbone] = max(most.get(run.backbone, 0), float(run.fraction))
        return [run for run in runs if float(run.fraction) == most[run.backbone]]

    def external(self) -> list[tuple[str, str]]:
        """Return each dataset that is trained on with each other one that its runs are tested on."""
        return [(name, other) for name, others in self.settings["test_on"].items() for other in others]

    def shown(self) -> list[Run]:
        """Return the runs whose images figure 2 shows.

        Of the experiment table4, these are the largest fraction and first seed of each diffusion pipeline.
        """
        grids: dict[tuple[str, str], list[Run]] = {}
        for run in self.runs("table4", "text-to-image") if "table4" in self.experiments else []:
            grids.setdefault((run.dataset, run.backbone), []).append(run)
        firsts = {pair: max(runs, key=lambda run: float(run.fraction)) for pair, runs in grids.items()}
        return [run for pair, runs in grids.items() for run in runs if run[3:] == firsts[pair][3:]]

    def values(self, axis: str, task: str | None = None) -> list[str]:
        """Return the distinct values of one field of `Run` over the runs of a task, or all, in grid order."""
        return list(dict.fromkeys(getattr(run, axis) for run in self.runs(task=task)))

    def searches(self) -> list[Search]:
        """Return the distinct searches for a learning rate, in grid order."""
        return list(dict.fromkeys(self.search_of(run) for run in self.runs(task="classification")))

    def has(self, feature: str) -> bool:
        """Tell whether the study has what an artefact may require: see `FEATURES`.

        Raises:
            UserError: There is no such feature.
        """
        if feature not in FEATURES:
            raise UserError(f"an artefact requires {feature!r}: choose among {', '.join(FEATURES)}")
        return FEATURES[feature](self)

    def lacks(self, artefact: Artefact) -> bool:
        """Tell whether the study has none of an artefact's experiments, or not all that it requires."""
        return artefact.lacking(self.experiments, self.has)

    def has_ranks(self) -> bool:
        """Tell whether some kind of encoder has, at one fraction, enough datasets and methods to rank over."""
        return ranks_can_be_told(self.runs(task="classification"))


# What an artefact may require of a study.
FEATURES: dict[str, Callable[[Study], bool]] = {
    "classification": lambda study: bool(study.runs(task="classification")),
    "full": lambda study: "full" in study.values("method", task="classification"),
    "ranks": Study.has_ranks,
    "counterpart": lambda study: bool(study.settings["split"]["counterpart"]),
    "rate_counterpart": lambda study: bool(study.settings["tuning"]["counterpart"]),
    "generation": lambda study: bool(study.runs(task="text-to-image")),
    "subgroups": lambda study: bool(study.settings["subgroups"]),
    "test_on": lambda study: bool(study.settings["test_on"]),
    "downstream": lambda study: bool(study.settings["generation"]["downstream"]),
}


def stored_size(size: int, fit: str = "crop") -> int:
    """Return the height and width at which images are stored of which networks see `size` pixels.

    Of images that are cropped these are the centre. Where the whole image is asked for, evaluation cuts nothing off.
    """
    return round(size / CENTRE_SHARE) if fit == "crop" else size


def fitted_folder(pixels: int, fit: str) -> str:
    """Return the name of a folder for images `pixels` wide: those that were fitted in different ways lie apart."""
    return f"{pixels}px{'' if fit == 'crop' else f'_{fit}'}"


def _text(value: str | float) -> str:
    """Return `value` as it stands in a path: 1.0 and 1 are the same fraction."""
    return f"{value:g}" if isinstance(value, float) else str(value)
