"""The study, validated, and the grid of runs that it asks for."""

import re
import sys
from pathlib import Path

# The library beside this workflow is what it runs: it goes before one that is installed from another folder.
sys.path.insert(0, str(Path(workflow.basedir).resolve() / "scripts"))

from medpeft.artefacts import registry as artefacts
from medpeft.base.errors import UserError
from medpeft.base.imports import dependencies
from medpeft.base.places import LIBRARY, prefer_here
from medpeft.data import registry as datasets
from medpeft.data.user_dataset import state
from medpeft.methods import registry as methods
from medpeft.networks.unets import UNETS
from medpeft.pipeline.code import KINDS, code
from medpeft.pipeline.paths import sources
from medpeft.pipeline.study import Study, stored_size

prefer_here()
SCRIPTS = LIBRARY.parent

try:
    STUDY = Study(config)
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


PICTURES = f"data/prepared/{{dataset}}/{stored_size(STUDY.generated_size)}px"


pathvars:
    texts=str(PROJECT / "paper"),
    raw="data/raw/{dataset}",
    stored="data/prepared/{dataset}/{pixels}px",
    prepared=f"data/prepared/{{dataset}}/{stored_size(STUDY.settings['image_size'])}px",
    pictures=PICTURES,
    splits=f"data/splits/{{dataset}}/{STUDY.name}",
    weights="data/weights/{backbone}",
    encoded=f"data/encoded/{{dataset}}/{{backbone}}/{STUDY.generated_size}px",
    study=f"results/{STUDY.name}",
    reference="<study>/reference/{dataset}",
    tuning="<study>/tuning/{dataset}/{backbone}/{method}",
    run="<study>/runs/{dataset}/{backbone}/{method}/{fraction}/{seed}",


wildcard_constraints:
    dataset=r"\w+",
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


def generated_of(runs):
    """The table of the images that each run generated for captions of the test set, and the folder of their files."""
    folders = [f"<study>/runs/{run.path}" for run in runs]
    return {
        "tables": [f"{folder}/generated/test.csv" for folder in folders],
        "folders": [f"{folder}/generated/test" for folder in folders],
    }


def from_here(files):
    """Return files of the library as seen from the working directory."""
    return [PROJECT / file.relative_to(SCRIPTS.parent) for file in files]


def code_of(stage, **names):
    """Return a function that gives the library files which a job of `stage` runs (see medpeft.pipeline.code).

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


def declared_of(wildcards):
    """What the study declares of a dataset of the user's own; None of one that comes with the pipeline."""
    return STUDY.settings["datasets"].get(wildcards.dataset)


def state_of(wildcards):
    """What changes when the user's own images do."""
    declared = declared_of(wildcards)
    return state(declared["path"]) if declared else None


def given_split_of(wildcards):
    """The file with a split of this dataset, if the study names one."""
    path = STUDY.settings["split"]["files"].get(wildcards.dataset)
    return [path] if path else []


def archives_of(wildcards):
    """The archives of one dataset, in the order in which its module reads them."""
    archives = datasets.load(wildcards.dataset, declared_of(wildcards)).archives
    return [f"<raw>/{archive.name}" for archive in archives]


def listing_of(wildcards):
    """The archive that lists where the files of this one are, if they are scattered over the web."""
    archives = datasets.load(wildcards.dataset, declared_of(wildcards)).archives
    listed_in = {archive.name: archive.listed_in for archive in archives}
    name = listed_in.get(wildcards.archive)
    return [f"<raw>/{name}"] if name else []


def generator_of(wildcards):
    """The modules that simulate a dataset; archives that are fetched depend on no code."""
    archives = datasets.load(wildcards.dataset, declared_of(wildcards)).archives
    generators = {
        archive.generate.__module__ for archive in archives if archive.generate
    }
    files = dependencies(*(Path(sys.modules[name].__file__) for name in generators))
    return from_here(files)
