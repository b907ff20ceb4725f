"""The study, validated, and the grid of runs that it asks for."""

import re
import sys
from pathlib import Path

from snakemake.utils import validate

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from medpeft import own
from medpeft.datasets import registry as datasets
from medpeft.errors import UserError
from medpeft.methods import registry as methods
from medpeft.study import Study, stored_size
from medpeft.unets import UNETS

try:
    STUDY = Study(config)
except UserError as error:
    sys.exit(f"medpeft: {error}")


PICTURES = f"data/prepared/{{dataset}}/{stored_size(STUDY.generated_size)}px"


pathvars:
    library=str(PROJECT / "scripts" / "medpeft"),
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
SEARCHES = list(dict.fromkeys(run.search for run in STUDY.runs(task="classification")))
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


def code_of_method(wildcards):
    """The library files that a strategy consists of."""
    return [f"<library>/{name}.py" for name in methods.code(wildcards.method)]


def features_of(wildcards):
    """The features that a strategy trains on, if it does not train on images."""
    found = "<study>/features/{dataset}/{backbone}.npy"
    return [found] if methods.on_features(wildcards.method) else []


def own_of(wildcards):
    """What the study declares of a dataset of the user's own; None of one that comes with the pipeline."""
    return STUDY.settings["datasets"].get(wildcards.dataset)


def state_of(wildcards):
    """What changes when the user's own images do."""
    declared = own_of(wildcards)
    return own.state(declared["path"]) if declared else None


def given_split_of(wildcards):
    """The file with a split of this dataset, if the study names one."""
    path = STUDY.settings["split"]["files"].get(wildcards.dataset)
    return [path] if path else []


def code_of_dataset(wildcards):
    """The library files that say how a dataset is read."""
    files = datasets.code(wildcards.dataset, own_of(wildcards))
    return [f"<library>/{name}.py" for name in files]


def code_of_datasets(names):
    """Those files of several datasets."""
    of_own = STUDY.settings["datasets"]
    files = {file for name in names for file in datasets.code(name, of_own.get(name))}
    return [f"<library>/{file}.py" for file in sorted(files)]


def archives_of(wildcards):
    """The archives of one dataset, in the order in which its module reads them."""
    archives = datasets.load(wildcards.dataset, own_of(wildcards)).archives
    return [f"<raw>/{archive.name}" for archive in archives]


def listing_of(wildcards):
    """The archive that lists where the files of this one are, if they are scattered over the web."""
    archives = datasets.load(wildcards.dataset, own_of(wildcards)).archives
    listed_in = {archive.name: archive.listed_in for archive in archives}
    name = listed_in.get(wildcards.archive)
    return [f"<raw>/{name}"] if name else []


def generator_of(wildcards):
    """The modules that simulate a dataset; archives that are fetched depend on no code."""
    archives = datasets.load(wildcards.dataset, own_of(wildcards)).archives
    simulated = any(archive.generate for archive in archives)
    return code_of_dataset(wildcards) if simulated else []
