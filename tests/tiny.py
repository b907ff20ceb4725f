"""A seconds-long study of an archive laid out as the public one, in a copy of the project."""

import json
import shutil
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from conftest import write_pipeline
from PIL import Image

from medpeft.data.datasets.busi import DATASET

ROOT = Path(__file__).parents[1]
SPLITS = ("Snakefile", "config.yaml", "rules", "scripts", "schemas", "envs", "profiles", "paper", "report", "studies")
STUDY = {
    "study": "tiny",
    "mirror": "mirror",
    "image_size": 32,
    "recipe": {"epochs": 1, "validations": 1, "batch_size": 16},
    "tuning": {"trials": 2, "fraction": 0.05, "low": 1e-3},
    "experiments": {
        "table2": {
            "datasets": ["busi"],
            "backbones": ["efficientnet_lite0"],
            "methods": ["full", "linear_probe", "ssf"],
            "fractions": [0.1],
            "seeds": [0],
        },
        "figure1": {
            "datasets": ["busi"],
            "backbones": ["efficientnet_lite0"],
            "methods": ["full", "ssf"],
            "fractions": [0.05, 0.1],
            "seeds": [0],
        },
        "table4": {
            "datasets": ["busi"],
            "backbones": ["tiny_diffusion"],
            "methods": ["full", "lora", "bias"],
            "fractions": [0.1],
            "seeds": [0],
        },
    },
    "generation": {
        "pipelines": {"tiny_diffusion": None},
        "learning_rates": {"bias": 1e30},  # fails
        "steps": 2,
        "batch_size": 4,
        "sampling_steps": 2,
        "images": 12,
        "repeats": 2,
        "downstream": 9,
    },
}


def make_project(folder: Path, study: dict = STUDY) -> Path:
    """Copy the project into `folder`, with `study` as tiny.yaml and a mirror that holds its archive."""
    for part in SPLITS:
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / part)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    (folder / "mirror").mkdir()
    _write_archive(folder / "mirror" / "busi.zip")
    write_pipeline(folder / "mirror" / "weights" / "tiny_diffusion")
    return folder


def command(*arguments: str, study: str = "tiny.yaml") -> list[str]:
    """Return the command that runs the study in the file `study`."""
    return [sys.executable, "-m", "snakemake", "--configfile", study, *arguments]


def snakemake(folder: Path, *arguments: str, study: str = "tiny.yaml") -> subprocess.CompletedProcess:
    """Run the study in the file `study` of `folder`."""
    return subprocess.run(command(*arguments, study=study), cwd=folder, capture_output=True, text=True, check=False)


def results(folder: Path, *names: str) -> dict[str, bytes]:
    """Return the content of the files of these names of all runs below `folder`, by their paths in it."""
    paths = [path for name in names for path in folder.glob(f"results/tiny/runs/**/{name}")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(paths)}


COSTS = ["train_seconds", "images_per_second", "peak_memory_bytes", "seconds"]  # they differ each time
COST_TABLES = ("runs.csv", "trials.csv")


def everything(folder: Path) -> dict[str, bytes]:
    """Return the content of all files in `data` and `results` of `folder`, without costs, by their paths.

    Left out are logs, and what names files by their hashes or times: the ledger, and notes of where archives came from.
    """
    paths = [path for top in ("data", "results") for path in folder.glob(f"{top}/**/*") if path.is_file()]
    passed = {"provenance", "source", "source.json"}
    kept = [path for path in sorted(paths) if path.suffix != ".log" and passed.isdisjoint(path.parts)]
    return {str(path.relative_to(folder)): _without_costs(path) for path in kept}


def _without_costs(path: Path) -> bytes:
    if path.name == "record.json":
        record = json.loads(path.read_text())
        record["cost"] = {key: value for key, value in record["cost"].items() if key not in COSTS}
        return json.dumps(record).encode()
    if path.name in COST_TABLES:
        return pd.read_csv(path, dtype=str).drop(columns=COSTS, errors="ignore").to_csv().encode()
    return path.read_bytes()


def _write_archive(path: Path) -> None:
    """Write an archive in the layout of BUSI whose classes differ in brightness, masks included."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for level, (label, count) in enumerate(DATASET.counts.items()):
            for number in range(1, count + 1):
                stem = f"Dataset_BUSI_with_GT/{label}/{label} ({number})"
                # ZipInfo has a fixed date: equal archives have equal bytes.
                archive.writestr(zipfile.ZipInfo(f"{stem}.png"), _png(rng.integers(0, 100, (40, 40)) + 70 * level))
                archive.writestr(zipfile.ZipInfo(f"{stem}_mask.png"), _png(np.zeros((40, 40))))


def _png(pixels: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()
