"""A study of two sites: subgroups are scored, what one trained is tested on the other, and nothing is trained again."""

import copy
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tiny import STUDY, make_project, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

GRID = {"backbones": ["efficientnet_lite0"], "methods": ["full", "linear_probe"]}
CLASSES = {"harmless": "benign", "tumour": "malignant", "healthy": "normal"}
SITES = {key: copy.deepcopy(value) for key, value in STUDY.items() if key != "generation"} | {
    "datasets": {"clinic": {"classes": list(CLASSES), "table": "labels.csv", "attributes": ["sex", "age"]}},
    "experiments": {
        "table2": GRID | {"datasets": ["busi"], "fractions": [0.05, 0.1], "seeds": [0, 1]},
        "clinic": GRID | {"datasets": ["clinic"], "fractions": [1], "seeds": [0, 1]},
    },
    "subgroups": {"clinic": {"sex": None, "age": [0, 40, 90]}},
    "test_on": {"busi": {"clinic": CLASSES}},
}


def write_clinic(mirror: Path) -> None:
    """Write images of another site, ten of which are benign images of BUSI, and a table that tells sex and age."""
    random, rows = np.random.default_rng(3), ["path,label,sex,age,probe"]
    with zipfile.ZipFile(mirror / "clinic.zip", "w") as archive, zipfile.ZipFile(mirror / "busi.zip") as busi:
        for label, own in CLASSES.items():
            known = sorted(name for name in busi.namelist() if f"/{own}/" in name and "mask" not in name)
            for number in range(80):
                content = bytearray(busi.read(known[number]))
                name = f"{label}{number}.png"
                if label != "harmless" or number >= 10:
                    content = _noise(random, list(CLASSES).index(label))
                archive.writestr(name, bytes(content))
                sex = "f" if number % 2 else "m"
                rows.append(f"{name},{label},{sex},{number % 70 + 15 if number % 7 else ''},{'ab'[number % 3 > 1]}")
        archive.writestr("labels.csv", "\n".join(rows))


def _noise(random: np.random.Generator, level: int) -> bytes:
    from pictures import png

    return png((random.integers(0, 100, (40, 40)) + 70 * level).astype(np.uint8))


def run(folder: Path, study: dict, *arguments: str):
    (folder / "tiny.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    result = snakemake(folder, "--cores", "2", *arguments)
    assert result.returncode == 0, result.stderr
    return result


def test_subgroups_and_sites_from_images_to_tables_and_nothing_is_retrained(tmp_path):
    folder = make_project(tmp_path, SITES)
    write_clinic(folder / "mirror")
    said = run(folder, SITES).stderr
    results = folder / "results" / "tiny"
    assert "clinic: age is unknown of 36 of 240 images" in said
    subgroups = pd.read_csv(results / "subgroups.csv")
    assert set(subgroups["subgroup"]) == {"f", "m", "[0, 40)", "[40, 90)", "unknown"}
    sizes = subgroups.drop_duplicates(["attribute", "subgroup"]).groupby("attribute")["n_images"].sum()
    test = pd.read_csv(folder / "data/splits/clinic/tiny/split.csv")["split"] == "test"
    assert sizes.tolist() == [test.sum()] * 2
    external = pd.read_csv(results / "external.csv")
    assert set(external["fraction"]) == {0.1}
    left_out = pd.read_csv(results / "external/busi/clinic/overlap.csv")
    assert left_out["external"].str.fullmatch(r"harmless\d\.png").all()
    assert (external["n_images"] + external["n_left_out"] == test.sum()).all()
    assert "tested on its test images of clinic" in said
    more = copy.deepcopy(SITES)
    more["datasets"]["clinic"]["attributes"] += ["probe"]
    more["subgroups"]["clinic"] |= {"probe": None}
    planned = run(folder, more, "--dry-run").stdout
    assert set(re.findall(r"^(?:local)?rule (\w+):", planned, re.MULTILINE)) <= {
        *("attributes", "compare_subgroups", "table", "typeset", "all", "card", "findings")
    }
    run(folder, more)
    assert set(pd.read_csv(results / "gaps.csv")["attribute"]) <= {"sex", "age", "probe"}
