"""Small studies of real images: each kind of labels, another primary metric, seven classes of skin lesions."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tiny import make_project, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

SMALL = {
    "image_size": 48,
    "recipe": {"epochs": 3, "min_steps": 40, "batch_size": 16, "validations": 3},
    "tuning": {"trials": 3, "fraction": 0.5, "epochs": 2, "low": 3e-4, "high": 3e-2},
}
GRADES = list("01234")
OWN = {
    "knee_oa": {"classes": GRADES, "task": "ordinal", "group": r"^(\d{7})"},
    "idrid": {
        "classes": GRADES,
        "task": "ordinal",
        "include": ["a. Training Set"],
        "table": "a. IDRiD_Disease Grading_Training Labels.csv",
        "columns": {"path": "Image name", "label": "Retinopathy grade"},
    },
    "nih_cxr_pneumonia": {"classes": ["normal", "pneumonia"], "group": r"^(\d+)_"},
    "chest": {
        "classes": ["Pneumonia", "Large", "Marked"],
        "task": "multi-label",
        "table": "labels.csv",
        "group": r"(\d+)_\d+\.",
        "columns": {"path": "Image"},
    },
}


def run(folder: Path, mirror: Path, dataset: str, **keys) -> Path:
    """Run a study of one dataset in a copy of the project, and return the folder of its results."""
    methods = keys.pop("methods", ["full", "linear_probe", "bias"])
    grid = {"datasets": [dataset], "backbones": ["efficientnet_lite0"], "methods": methods}
    study = SMALL | {"study": "real", "mirror": str(mirror), **keys}
    study |= {"experiments": {"table2": grid | {"fractions": [1], "seeds": [0, 1]}}}
    if dataset in OWN:
        study["datasets"] = {dataset: OWN[dataset]}
    make_project(folder, study)
    (folder / "real.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    result = snakemake(folder, "--cores", "2", study="real.yaml")
    assert result.returncode == 0, result.stderr[-3000:]
    verified = snakemake(folder, "--cores", "1", "--", "verify", study="real.yaml")
    assert verified.returncode == 0, verified.stderr[-3000:]
    return folder / "results" / "real"


def of_classes(results: Path, metric: str) -> pd.DataFrame:
    table = pd.read_csv(results / "per_class.csv", dtype={"class": str}, keep_default_na=False)
    return table[(table["metric"] == metric) & (table["class"] != "")]


@pytest.mark.parametrize("dataset", ["busi", "nih_cxr_pneumonia"])
def test_another_primary_metric_chooses_and_decides(real_data, tmp_path, dataset):
    results = run(tmp_path, real_data, dataset, primary_metric="auroc")
    comparisons = pd.read_csv(results / "comparisons.csv")
    assert set(comparisons.loc[comparisons["primary"], "metric"]) == {"auroc"}
    assert comparisons.loc[~comparisons["primary"], "outcome"].isna().all()
    history = pd.read_csv(next(results.glob("runs/*/*/full/1/0/history.csv")))
    assert history["validation_auroc"].between(0, 1).all()
    assert pd.read_csv(results / "scores.csv").query("metric == 'auroc'")["mean"].max() > 0.55


def test_each_skin_lesion_has_its_sensitivity(real_data, tmp_path):
    checksums = {f"HAM10000_{part}": f"sha256:{digest(real_data / f'HAM10000_{part}')}" for part in PARTS}
    results = run(
        tmp_path,
        real_data,
        "ham10000",
        methods=["full", "linear_probe"],
        checksums=checksums,
        recipe=SMALL["recipe"] | {"epochs": 1, "class_weights": "balanced"},
        tuning=SMALL["tuning"] | {"trials": 2, "fraction": 0.1, "epochs": 1},
        subgroups={"ham10000": {"sex": None, "age": [0, 40, 60, 120]}},
    )
    found = of_classes(results, "sensitivity")
    assert set(found["class"]) == {"akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"}
    assert found[["mean", "low", "high"]].notna().all(axis=None)
    assert set(pd.read_csv(results / "gaps.csv")["attribute"]) == {"sex", "age"}


PARTS = ("images_part_1.zip", "images_part_2.zip", "metadata.csv")


def digest(path: Path) -> str:
    from medpeft.base.files import sha256

    return sha256(path)


@pytest.mark.parametrize("dataset", ["knee_oa", "idrid"])
def test_grades_are_ordered(real_data, tmp_path, dataset):
    results = run(tmp_path, real_data, dataset, primary_metric="kappa")
    runs = pd.read_csv(results / "runs.csv")
    assert runs[["kappa", "mae"]].notna().all(axis=None)
    assert pd.read_csv(results / "comparisons.csv")["primary"].any()


def test_images_with_several_labels(real_data, tmp_path):
    """The radiographs and pneumonia are real; the other labels are made up, one of the image and one by chance."""
    random, rows, mirror = np.random.default_rng(0), ["Image,Pneumonia,Large,Marked"], tmp_path / "archive"
    mirror.mkdir()
    with (
        zipfile.ZipFile(real_data / "nih_cxr_pneumonia.zip") as real,
        zipfile.ZipFile(mirror / "chest.zip", "w") as own,
    ):
        for member in [member for member in real.infolist() if member.filename.endswith(".jpg")][::2]:
            own.writestr(member.filename, real.read(member))
            marked, name = random.choice(["1", "0", "-1", ""]), member.filename
            rows.append(f"{Path(name).name},{int('/pneumonia/' in name)},{int(member.file_size > 15_000)},{marked}")
        own.writestr("labels.csv", "\n".join(rows))
    results = run(tmp_path / "project", mirror, "chest", primary_metric="auroc")
    found = of_classes(results, "auroc")
    assert set(found["class"]) == {"Pneumonia", "Large", "Marked"}
    best = found[found["method"] == "full"].set_index("class")["mean"]
    assert best["Pneumonia"] > 0.55
