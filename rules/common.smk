"""The study, validated, and the grid of runs that it asks for."""

import re
import sys
from pathlib import Path

from snakemake.utils import validate

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from medpeft.base.errors import UserError
from medpeft.base.imports import dependencies
from medpeft.base.places import LIBRARY
from medpeft.data import registry as datasets
from medpeft.data.user_dataset import state
from medpeft.methods import registry as methods
from medpeft.networks.unets import UNETS
from medpeft.pipeline.code import code
from medpeft.pipeline.study import Study, stored_size

SCRIPTS = Path(workflow.basedir).resolve() / "scripts"

try:
    STUDY = Study(config)
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
SEARCHES = list(dict.fromkeys(run.search.path for run in STUDY.runs(task="classification")))
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


def material_of(wildcards):
    """What a table is made of: parameters are counted without a run, all else comes from the results."""
    if wildcards.table == "table6":
        return {"parameters": "<study>/parameters.csv"}
    if wildcards.table == "leakage":
        other = f"results/{STUDY.settings['split']['counterpart']}"
        record = f"runs/{RUNS[0]}/record.json"
        return {
            "scores": "<study>/scores.csv",
            "other_scores": f"{other}/scores.csv",
            "splits": [f"<study>/{record}", f"{other}/{record}"],
        }
    if wildcards.table == "memorisation":
        return {
            "memorisations": [
                f"<study>/runs/{run}/memorisation.json" for run in GENERATIONS
            ]
        }
    if wildcards.table == "downstream":
        return {
            "downstreams": [f"<study>/runs/{run}/downstream.csv" for run in GENERATIONS]
        }
    results = ["runs", "scores", "comparisons", "ranks", "friedman", "recommendations"]
    return {name: f"<study>/{name}.csv" for name in results} | {
        "records": [f"<study>/runs/{run}/record.json" for run in RUNS + GENERATIONS],
        "trials": [f"<study>/tuning/{search}/trials.csv" for search in SEARCHES],
        "choices": [
            f"<study>/tuning/{search}/learning_rate.json" for search in SEARCHES
        ],
    }


def generated_of(runs):
    """The table of the images that each run generated for captions of the test set, and the folder of their files."""
    folders = [f"<study>/runs/{run.path}" for run in runs]
    return {
        "tables": [f"{folder}/generated/test.csv" for folder in folders],
        "folders": [f"{folder}/generated/test" for folder in folders],
    }


def code_of(stage, datasets=None, methods=None):
    """Return a function that gives the library files which a job of `stage` runs (see medpeft.pipeline.code).

    The datasets and methods that the stage looks up are those of the job's wildcards unless they are named here.
    """
    script = SCRIPTS / f"{stage}.py"

    def files(wildcards):
        found = code(
            script,
            tuple(datasets or _named(wildcards, "dataset")),
            frozenset(STUDY.settings["datasets"]),
            tuple(methods or _named(wildcards, "method")),
        )
        return [PROJECT / file.relative_to(LIBRARY.parents[1]) for file in found]

    return files


def _named(wildcards, kind):
    return [wildcards[kind]] if kind in wildcards.keys() else []


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
    return [PROJECT / file.relative_to(LIBRARY.parents[1]) for file in files]
