"""The study, validated, and the grid of runs that it asks for."""

import re
import sys
from functools import cache
from pathlib import Path

# The library beside this workflow is what it runs: it goes before one that is installed from another folder.
sys.path.insert(0, str(PROJECT.resolve() / "scripts"))

from medpeft.artefacts import registry as artefacts
from medpeft.base.errors import UserError
from medpeft.base.imports import dependencies
from medpeft.base.losses import beyond
from medpeft.base.places import LIBRARY, prefer_here
from medpeft.base.redaction import without_secrets
from medpeft.base.runs import Search
from medpeft.data import registry as datasets
from medpeft.data.sources import Kept, content_of_files, mirrored_files
from medpeft.data.user_dataset import decisive, subfolder
from medpeft.methods import registry as methods
from medpeft.networks.unets import UNETS
from medpeft.pipeline.code import KINDS, code
from medpeft.pipeline.paths import refuse_unfit_counterpart, sources
from medpeft.pipeline.study import Study, fitted_folder
from medpeft.pipeline.study_file import refuse_repeated_keys
from medpeft.pipeline.watch import announce

prefer_here()
announce()
SCRIPTS = LIBRARY.parent

try:
    refuse_repeated_keys(workflow.configfiles)
    STUDY = Study(config)
    refuse_unfit_counterpart(STUDY)
    TABLES = {
        name: table
        for name, table in artefacts.tables().items()
        if not STUDY.lacks(table)
    }
    FIGURES = {
        name: figure
        for name, figure in artefacts.figures().items()
        if not STUDY.lacks(figure)
    }
except UserError as error:
    sys.exit(f"medpeft: {error}")


# Params stand in Snakemake's report, metadata and messages: they hold no login and no signature of an address.
DECLARED = without_secrets(STUDY.settings["datasets"])

# Where a dataset is kept. Datasets of the user's own that have one name but other definitions lie apart.
RAW = "data/raw/{dataset}{definition}"
DESCRIBED = "data/prepared/{dataset}{definition}"
PREPARED = f"{DESCRIBED}/{STUDY.stored_folder(STUDY.settings['image_size'])}"
PICTURES = f"{DESCRIBED}/{STUDY.stored_folder(STUDY.generated_size)}"
ENCODED = f"data/encoded/{{dataset}}{{definition}}/{{backbone}}/{fitted_folder(STUDY.generated_size, STUDY.settings['image_fit'])}"

PER_SEED = STUDY.settings["tuning"]["per_seed"]
SPLIT_PER_SEED = STUDY.settings["split"]["per_seed"]
SPLITS = "/".join(
    ["data/splits", "{dataset}", STUDY.name, *["{seed}"] * SPLIT_PER_SEED]
)
SEARCH = Search(
    *("{dataset}", "{backbone}", "{method}"),
    "{fraction}" if STUDY.settings["tuning"]["per_fraction"] else None,
    "{seed}" if PER_SEED else None,
).path


def constrained(folder):
    """Return `folder` with what its wildcards match: the general constraints do not reach into path variables."""
    own = r"{dataset,\w+}{definition,(/[0-9a-f]{8})?}"
    of_seed = r"{seed,\d+}"  # at its first place alone
    return folder.replace("{dataset}{definition}", own).replace("{seed}", of_seed, 1)


pathvars:
    texts=str(PROJECT / "paper"),
    raw=constrained(RAW),
    described=constrained(DESCRIBED),
    stored=constrained(f"{DESCRIBED}/{{pixels,\\d+}}px{{fit,(_pad|_squash)?}}"),
    prepared=constrained(PREPARED),
    pictures=constrained(PICTURES),
    encoded=constrained(ENCODED),
    splits=constrained(SPLITS),
    subset=constrained(f"{SPLITS}/subset-{{seed}}"),
    weights="data/weights/{backbone}",
    study=f"results/{STUDY.name}",
    reference="<study>/reference/{dataset}",
    external="<study>/external/{dataset}/{other}",
    tuning=f"<study>/tuning/{SEARCH}",
    run="<study>/runs/{dataset}/{backbone}/{method}/{fraction}/{seed}",


wildcard_constraints:
    dataset=r"\w+",
    other=r"\w+",
    pixels=r"\d+",
    backbone=r"[\w.]+",
    method=r"\w+",
    fraction=r"\d+(\.\d+)?",
    seed=r"\d+",


RUNS = [run.path for run in STUDY.runs(task="classification")]
GENERATIONS = [run.path for run in STUDY.runs(task="text-to-image")]
SHOWN = STUDY.shown()
SHOWN_DATASETS = list(dict.fromkeys(run.dataset for run in SHOWN))
PIPELINES = "|".join(map(re.escape, STUDY.pipelines))
EXTRACTOR = STUDY.settings["generation"]["extractor"]
EXTRACTOR_WEIGHTS = (
    "data/weights/inception/weights.pth"
    if EXTRACTOR == "inception"
    else f"data/weights/{EXTRACTOR}/model.safetensors"
)


def growing(amount):
    """Return a resource that is `amount` at the first attempt, twice as much at the second, and so on."""
    return lambda wildcards, attempt: amount * attempt


def sources_of(kind):
    """Return a function that gives the files which a table or figure is made of, by their names."""
    known = {"table": artefacts.tables(), "figure": artefacts.figures()}[kind]

    def files(wildcards):
        artefact = known[wildcards[kind]]
        published = [f"<texts>/reference/{name}.csv" for name in artefact.published]
        return sources(STUDY, artefact) | (
            {"published": published} if published else {}
        )

    return files


def primary_of(kind):
    """Return a function that gives the primary metric to a table or figure that shows it."""
    known = {"table": artefacts.tables(), "figure": artefacts.figures()}[kind]

    def primary(wildcards):
        shows = "primary" in known[wildcards[kind]].sources
        return STUDY.settings["primary_metric"] if shows else None

    return primary


def generated_of(runs):
    """The table of the images that each run generated for captions of the test set, and the folder of their files."""
    folders = [f"<study>/runs/{run.path}" for run in runs]
    return {
        "tables": [f"{folder}/generated/test.csv" for folder in folders],
        "folders": [f"{folder}/generated/test" for folder in folders],
    }


def lengths_of(datasets):
    """The files that count the captions of `datasets` which the text encoder of a diffusion pipeline cuts."""
    generations = STUDY.runs(task="text-to-image")
    pairs = dict.fromkeys(run[:2] for run in generations if run.dataset in datasets)
    return [
        kept_at(ENCODED, dataset, "lengths.json").format(backbone=backbone)
        for dataset, backbone in pairs
    ]


def from_here(files):
    """Return files of code as seen from the working directory."""
    return [PROJECT / file.relative_to(SCRIPTS.parent) for file in files]


def code_of(stage, **names):
    """Return a function that gives the files of code which a job of `stage` runs (see medpeft.pipeline.code).

    What the stage looks up by name is named by the job's wildcards, or here: `dataset=[...]` and so on.
    """
    script = SCRIPTS / f"{stage}.py"

    def files(wildcards):
        named = {kind: (wildcards[kind],) for kind in KINDS & set(wildcards.keys())}
        named |= {kind: tuple(found) for kind, found in names.items()}
        found = code(
            script, frozenset(named.items()), frozenset(STUDY.settings["datasets"])
        )
        return from_here(found)

    return files


def features_of(wildcards):
    """The features that a method trains on, if it does not train on images."""
    found = "<study>/features/{dataset}/{backbone}.npy"
    return [found] if methods.on_features(wildcards.method) else []


def other_features_of(wildcards):
    """The features of the other dataset that a method is tested on, if it does not train on images."""
    found = f"<study>/features/{wildcards.other}/{wildcards.backbone}.npy"
    return [found] if methods.on_features(wildcards.method) else []


def other_split_of(wildcards):
    """The split of the other dataset, if the study trains on it too."""
    trained = wildcards.other in STUDY.values("dataset", task="classification")
    return [f"data/splits/{wildcards.other}/{STUDY.name}/split.csv"] * trained


def other(name):
    """Return a function that names a file of the stored images of the other dataset."""
    return lambda wildcards: kept_at(PREPARED, wildcards.other, name)


def files_of(name, datasets):
    """The file `name` of every run with all training images on some datasets."""
    runs = [run for dataset in datasets for run in STUDY.full_data(dataset)]
    return [f"<study>/runs/{run.path}/{name}" for run in runs]


def declared_at(dataset):
    """What the study declares of a dataset of the user's own; None of one that comes with the pipeline."""
    return STUDY.settings["datasets"].get(dataset)


def no_longer_accepted(folder):
    """Return a function that gives what a job wrote in `folder` has lost beyond what the study accepts now.

    It gives nothing of what is there after a job that has ended well: to accept more makes nothing stale.
    """

    def lost(wildcards):
        accepted = STUDY.settings["accept"].get(wildcards.dataset, {})
        return beyond(Path(folder(wildcards)) / "losses.csv", accepted)

    return lost


def labels_of(wildcards):
    """What kind of labels its images have, as a run's record tells it."""
    return STUDY.labels[wildcards.dataset]


def declared_of(wildcards):
    """What of it may be seen."""
    return DECLARED.get(wildcards.dataset)


def decisive_at(dataset):
    """What of that decides the data."""
    return decisive(DECLARED[dataset]) if dataset in DECLARED else None


def titled_of(wildcards):
    """What of it decides the captions, in which the title stands where there are no others."""
    declared = declared_of(wildcards)
    return decisive(declared) | {"title": declared["title"]} if declared else None


def decisive_of(wildcards):
    return decisive_at(wildcards.dataset)


def definition_at(dataset):
    """What tells the data of the user's own dataset from those of others of its name; nothing for any other."""
    return subfolder(declared_at(dataset))


def kept_at(folder, dataset, name):
    """The file `name` in `folder`, one of those above, as far as it depends on the dataset."""
    place = f"{folder}/{name}"
    return place.replace("{dataset}{definition}", dataset + definition_at(dataset))


def within(folder):
    """Return a function that names files in `folder` for jobs that have the dataset alone among their wildcards."""
    return lambda name: lambda wildcards: kept_at(folder, wildcards.dataset, name)


prepared, pictures, encoded = map(within, (PREPARED, PICTURES, ENCODED))


@cache
def kept(dataset):
    """The dataset and where it is kept."""
    return Kept(
        dataset,
        datasets.load(dataset, declared_at(dataset)),
        Path(kept_at(RAW, dataset, "")),
        Path(kept_at(DESCRIBED, dataset, "")),
    )


def titles(wildcards):
    """What readers call each dataset of the study, by its name."""
    return {name: kept(name).dataset.title for name in STUDY.values("dataset")}


def content_of(wildcards):
    """What changes when the content of an archive that lies on this machine does."""
    archives = {
        archive.name: archive for archive in kept(wildcards.dataset).dataset.archives
    }
    return kept(wildcards.dataset).content(
        archives[wildcards.archive], STUDY.settings["mirror"]
    )


def captions_of(wildcards):
    """What changes when the captions of the user's own images do."""
    if declared_of(wildcards):
        return kept(wildcards.dataset).captions(STUDY.settings["mirror"])
    return None


def audited(name):
    """Return a function that names a file of the split that is audited: of each seed's, the first."""
    return lambda wildcards: f"{STUDY.splits(wildcards.dataset)}/{name}"


def attributed_of(wildcards):
    """What of it decides the attributes of its images."""
    declared = declared_of(wildcards)
    named = (
        {key: declared[key] for key in ("attributes", "columns")} if declared else {}
    )
    return decisive(declared) | named if declared else None


def attributes_of(wildcards):
    """What changes when the attributes of the user's own images do."""
    if declared_of(wildcards):
        return kept(wildcards.dataset).attributes(STUDY.settings["mirror"])
    return None


def given_split_of(wildcards):
    """The file with a split of this dataset, if the study names one."""
    path = STUDY.settings["split"]["files"].get(wildcards.dataset)
    return [path] if path else []


def archives_of(wildcards):
    """The archives of one dataset, in the order in which its module reads them."""
    return [
        f"<raw>/{archive.name}" for archive in kept(wildcards.dataset).dataset.archives
    ]


def notes_of(wildcards):
    """What is noted of where they came from."""
    return [
        f"<raw>/source/{archive.name}.json"
        for archive in kept(wildcards.dataset).dataset.archives
    ]


def listing_of(wildcards):
    """The archive that lists where the files of this one are, if they are scattered over the web."""
    archives = kept(wildcards.dataset).dataset.archives
    listed_in = {archive.name: archive.listed_in for archive in archives}
    name = listed_in.get(wildcards.archive)
    return [f"<raw>/{name}"] if name else []


def generator_of(wildcards):
    """The modules that simulate a dataset; archives that are fetched depend on no code."""
    archives = kept(wildcards.dataset).dataset.archives
    generators = {
        archive.generate.__module__ for archive in archives if archive.generate
    }
    files = dependencies(*(Path(sys.modules[name].__file__) for name in generators))
    return from_here(files)
