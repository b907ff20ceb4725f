"""Searches per fraction and per seed, splits per seed: how many, where they lie, and what makes them stale."""

import copy
import subprocess
import sys
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import yaml

from medpeft.base.errors import UserError
from medpeft.base.runs import Search
from medpeft.data.split import split
from medpeft.pipeline.study import Study

ROOT = Path(__file__).parents[2]
GRID = {
    "datasets": ["busi"],
    "backbones": ["efficientnet_lite0"],
    "methods": ["full", "linear_probe"],
    "fractions": [0.1, 1],
    "seeds": [0, 1, 5],
}
BOTH = list(product((False, True), repeat=2))


def _study(per_fraction=False, per_seed=False, split_per_seed=False, grid=GRID, **changes) -> dict:
    return {
        "study": "toy",
        "tuning": {"per_fraction": per_fraction, "per_seed": per_seed},
        "split": {"per_seed": split_per_seed},
        "experiments": {"figure1": copy.deepcopy(grid)},
    } | changes


@pytest.mark.parametrize(("per_fraction", "per_seed"), BOTH)
def test_there_is_a_search_for_each_fraction_and_seed_that_asks_for_one(per_fraction, per_seed):
    study = Study(_study(per_fraction, per_seed))
    fractions, seeds = ("0.1", "1") if per_fraction else (None,), ("0", "1", "5") if per_seed else (None,)
    expected = set(product(["busi"], ["efficientnet_lite0"], GRID["methods"], fractions, seeds))
    assert set(study.searches()) == expected
    assert len(study.searches()) == len(expected)
    assert {study.search_of(run) for run in study.runs()} == expected


@pytest.mark.parametrize(
    ("search", "path"),
    [
        (Search("busi", "resnet50", "ssf"), "busi/resnet50/ssf"),
        (Search("busi", "resnet50", "ssf", "1"), "busi/resnet50/ssf/1"),
        (Search("busi", "resnet50", "ssf", None, "1"), "busi/resnet50/ssf/seed-1"),
        (Search("busi", "resnet50", "ssf", "0.25", "1"), "busi/resnet50/ssf/0.25/seed-1"),
        (Search("tuning", "vit_tiny.in1k", "lora", "1", "0"), "tuning/vit_tiny.in1k/lora/1/seed-0"),
    ],
)
def test_a_search_is_known_by_its_folder(search, path):
    assert search.path == path
    for top in ("results/s/tuning", "/home/0.5/results/seed-1/tuning"):
        assert Search.of(f"{top}/{path}/trials.csv") == search


def test_no_two_searches_share_a_seed():
    study = Study(_study(per_seed=True, tuning={"per_seed": True, "trials": 7, "seed": 3}))
    first = [study.tuning(search.fraction, search.seed)["seed"] for search in study.searches()[:3]]
    assert first == [3, 3 + 7, 3 + 5 * 7]


def _asked(study: Study) -> dict:
    """Return what each search is asked for."""
    return {search: (study.tuning(search.fraction, search.seed), study.trial_recipe) for search in study.searches()}


def test_a_seed_that_is_added_to_one_fraction_makes_no_other_search_stale():
    grids = [GRID | {"fractions": [fraction]} for fraction in GRID["fractions"]]
    before = _asked(Study(_study(True, True, grid=grids)))
    grids[0]["seeds"] = [0, 1, 5, 9]
    after = _asked(Study(_study(True, True, grid=grids)))
    assert {search: after[search] for search in before} == before
    assert {search[3:] for search in after.keys() - before.keys()} == {("0.1", "9")}


def test_the_search_of_a_fraction_knows_it():
    study = Study(_study(True, tuning={"per_fraction": True, "fraction": 0.5}))
    asked = {search.fraction: study.tuning(search.fraction, search.seed) for search in study.searches()}
    assert {fraction: (each["of_run"], each["fraction"]) for fraction, each in asked.items()} == {
        "0.1": (0.1, 0.5),
        "1": (1.0, 0.5),
    }
    assert "of_run" not in Study(_study()).tuning(None, None)


def _planned(folder: Path, study: dict) -> set[str]:
    """Return the files that Snakemake would make."""
    (folder / "toy.yaml").write_text(yaml.safe_dump(study))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    said = subprocess.run(
        [*command, "--configfile", folder / "toy.yaml", "--summary"], capture_output=True, text=True, check=True
    ).stdout
    return {line.split("\t")[0] for line in said.splitlines()[1:]}


CASES = [(*both, False) for both in BOTH] + [(False, True, True), (True, True, True)]


@pytest.mark.parametrize(
    ("per_fraction", "per_seed", "split_per_seed"),
    [pytest.param(*case, marks=[] if all(case) else pytest.mark.exhaustive) for case in CASES],
)
def test_the_files_of_a_study_lie_where_its_keys_say(tmp_path, per_fraction, per_seed, split_per_seed):
    made = _planned(tmp_path, _study(per_fraction, per_seed, split_per_seed))
    fractions, seeds = ("/0.1", "/1") if per_fraction else ("",), ("0", "1", "5")
    of_seed = [f"/seed-{seed}" for seed in seeds] if per_seed else [""]
    searches = {
        f"results/toy/tuning/busi/efficientnet_lite0/{method}{fraction}{seed}/{file}"
        for method, fraction, seed in product(GRID["methods"], fractions, of_seed)
        for file in ("trials.csv", "learning_rate.json")
    }
    assert {path for path in made if "/tuning/" in path} == searches
    folders = [f"/{seed}" for seed in seeds] if split_per_seed else [""]
    splits = {
        f"data/splits/busi/toy{folder}/{file}"
        for folder in folders
        for file in ("split.csv", "split.csv.sha256", "losses.csv")
    }
    splits |= {f"data/splits/busi/toy{f'/{seed}' if split_per_seed else ''}/subset-{seed}.csv" for seed in seeds}
    assert {path for path in made if path.startswith("data/splits/")} == splits
    assert len([path for path in made if path.startswith("results/toy/features/")]) == 1


PIPELINE = {"backbones": ["latent_diffusion_mini"], "methods": ["norm"]}


@pytest.mark.parametrize(
    ("study", "sentence"),
    [
        (_study(split_per_seed=True), "would choose its rate on test images of other seeds: set tuning.per_seed"),
        (
            _study(tuning={"per_fraction": True, "epochs": 3}),
            "the steps of the runs of their fraction, and tuning.epochs another number: leave one of them out",
        ),
        (_study(False, True, split={"per_seed": True, "protocol": "paper"}), "split.protocol: paper takes the split"),
        (
            _study(False, True, split={"per_seed": True, "files": {"busi": str(ROOT / "config.yaml")}}),
            "split.files names the split that was published, of which there is one",
        ),
        (_study(False, True, True, grid=GRID | PIPELINE), "'latent_diffusion_mini' is a diffusion pipeline"),
        (_study(False, True, grid=GRID | {"seeds": [0, 4294967295]}), "write smaller seeds"),
        (
            _study(False, True, split={"per_seed": True, "seed": 4294967290}, grid=GRID | {"seeds": [0, 9]}),
            "has the seed split.seed \\+ 9, beyond 4294967295",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(study, sentence):
    with pytest.raises(UserError, match=sentence):
        Study(study)


def test_each_seed_has_its_own_seed_of_the_split():
    study = Study(_study(False, True, split={"per_seed": True, "seed": 10}))
    assert [study.split_seed(seed) for seed in ("0", "1", "5")] == [10, 11, 15]
    assert study.splits("busi") == "data/splits/busi/toy/0"
    shared = Study(_study(split={"seed": 10}))
    assert {shared.split_seed(seed) for seed in ("0", "5")} == {10}
    assert shared.splits("busi") == "data/splits/busi/toy"


def test_the_splits_of_seeds_differ_and_hold_each_patient_once():
    study = Study(_study(False, True, True))
    groups = [f"p{number // 2}" for number in range(120)]
    manifest = pd.DataFrame({"image_id": [f"i{number:03}" for number in range(120)], "group_id": groups})
    manifest["label"] = ["benign" if number % 6 < 4 else "malignant" for number in range(120)]
    pairs = pd.DataFrame(columns=["first", "second", "kind", "same_label"])
    tables = [split(manifest, pairs, seed=study.split_seed(seed)) for seed in GRID["seeds"]]
    tests = [frozenset(table.loc[table["split"] == "test", "image_id"]) for table in tables]
    assert len(set(tests)) == len(tests)
    for table in tables:
        assert list(table["image_id"]) == list(manifest["image_id"])
        assert (table.groupby(manifest["group_id"])["split"].nunique() == 1).all()
