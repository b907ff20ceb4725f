"""What the runs of a study start from, and what each contender has to know of them."""

import shutil
import sys
from itertools import product
from pathlib import Path

import pandas as pd
import yaml

from medpeft.base.files import read_json, read_table
from medpeft.base.runs import Run
from medpeft.data import registry as datasets
from medpeft.data.archives import Source
from medpeft.data.subset import members
from medpeft.methods import registry as methods
from medpeft.pipeline.study import Study, stored_size
from processes import Cost, timed

CORES = 2  # which every contender has for its processes, one a core
ARRAYS, FEATURES, LATENTS = "arrays, duplicates and split", "features for linear probing", "latents and texts"
UNET, UNET_METHODS, UNET_SEEDS = "latent_diffusion_mini", ("full", "lora"), range(4)
WARMUP_STEPS, STEPS = 10, 50  # of a U-Net


class Material:
    """A study with all that its runs start from: images, as arrays and as files, weights, learning rates.

    Snakemake works in the folder `work`; `mirror` is a folder with the archives, or None.
    """

    def __init__(self, file: Path, work: Path, mirror: Path | None = None):
        self.file, self.work, self.mirror = file, work, mirror
        asked = yaml.safe_load(file.read_text(encoding="utf-8"))
        self.study = Study(asked)
        self.has_unet = "generation" in asked  # where it sets how the small latent diffusion model is trained
        self.runs = self.study.runs()
        self.datasets, self.seeds = self.study.values("dataset"), self.study.values("seed")
        self.threads = self.study.settings["recipe"]["threads"]

    def snakemake(self, *targets: str) -> Cost:
        """Make `targets` and return what that cost."""
        options = ["--cores", str(CORES), "--quiet", "all", "--nolock", "--configfile", str(self.file)]
        mirror = ["--config", f"mirror={self.mirror.resolve()}"] if self.mirror else []
        command = [sys.executable, "-m", "snakemake", *options, "--directory", str(self.work), *mirror, "--", *targets]
        return timed(command, self.work / "snakemake.log", self.threads)

    def forget(self) -> None:
        """Remove all that is made of archives and weights: a session times what only the pipeline needs of it."""
        for folder in ("data/prepared", "data/splits", "data/encoded", "results"):
            shutil.rmtree(self.work / folder, ignore_errors=True)

    def prepare(self) -> dict[str, float]:
        """Make all that precedes the runs; return the seconds of what only the pipeline needs and was not there."""
        archives = [f"data/raw/{name}/{part.name}" for name in self.datasets for part in datasets.load(name).archives]
        splits = [f"data/splits/{name}/{self.study.name}" for name in self.datasets]
        embedded = {(run.dataset, run.backbone) for run in self.runs if methods.on_features(run.method)}
        weights = {f"data/weights/{run.backbone}/model.safetensors" for run in self.runs}
        searches = {self.study.search_of(run).path for run in self.runs}
        stages = {
            "archives": archives,
            ARRAYS: [f"{folder}/subset-{seed}.csv" for folder, seed in product(splits, self.seeds)],
            "weights": sorted(weights),
            FEATURES: [f"results/{self.study.name}/features/{place}/{name}.npy" for place, name in sorted(embedded)],
            "rates": [f"results/{self.study.name}/tuning/{search}/learning_rate.json" for search in sorted(searches)],
            LATENTS: [f"{self.encoded(name)}/moments.npy" for name in self.datasets if self.has_unet],
        }
        seconds = {}
        for stage, targets in stages.items():
            new = not all((self.work / target).exists() for target in targets)
            cost = self.snakemake(*targets) if targets else None
            if new and stage in (ARRAYS, FEATURES, LATENTS):
                seconds[stage] = cost.seconds
        for name in self.datasets:
            self._extract(name)
        return seconds

    def encoded(self, dataset: str) -> str:
        """Return the folder of latents and text embeddings."""
        return f"data/encoded/{dataset}/{UNET}/{self.study.generated_size}px"

    def prepared(self, dataset: str) -> Path:
        """Return the folder of stored arrays."""
        return self.work / f"data/prepared/{dataset}/{stored_size(self.study.settings['image_size'])}px"

    def _extract(self, dataset: str) -> None:
        """Write the image files of a dataset as its archives hold them."""
        raw = self.work / "data/raw" / dataset
        sources = {archive.name: Source(raw / archive.name) for archive in datasets.load(dataset).archives}
        for place in read_table(self.prepared(dataset) / "manifest.csv")["source_file"]:
            archive, _, member = place.partition("/")
            path = self.work / "images" / place
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(sources[archive].read(member))

    def unet_runs(self, method: str) -> list[Run]:
        """Return the runs on the U-Net that are compared."""
        return [Run(self.datasets[0], UNET, method, "1", str(seed)) for seed in UNET_SEEDS]

    def job(self, run: Run) -> dict:
        """Return all that a script needs to know of `run`."""
        return self._unet_job(run) if run.backbone == UNET else self._job(run)

    def _job(self, run: Run) -> dict:
        recipe = self.study.recipe
        rows = self._members(run, run.seed)
        classes = sorted(read_table(self.prepared(run.dataset) / "manifest.csv")["label"].unique())
        images = {part: [] for part in ("train", "validation", "test")}
        for row in rows.itertuples():
            images[row.split].append((str(self.work / "images" / row.source_file), classes.index(row.label)))
        batches = -(-len(images["train"]) // recipe["batch_size"])
        epochs = max(recipe["epochs"], -(-recipe["min_steps"] // batches))
        count = min(recipe["validations"], epochs)
        rate = self.work / f"results/{self.study.name}/tuning/{self.study.search_of(run).path}/learning_rate.json"
        return {
            "backbone": run.backbone,
            "method": run.method,
            "seed": int(run.seed),
            "weights": str(self.work / f"data/weights/{run.backbone}/model.safetensors"),
            "classes": classes,
            "images": images,
            "images_seen": epochs * len(images["train"]),
            "stored_size": stored_size(recipe["image_size"]),
            "recipe": recipe,
            "batch_size": -(-len(images["train"]) // batches),  # without a last batch of a single image
            "learning_rate": read_json(rate)["learning_rate"],
            "epochs": epochs,
            "validated_epochs": sorted({round(epochs * (index + 1) / count) for index in range(count)}),
        }

    def _unet_job(self, run: Run) -> dict:
        recipe = self.study.unet_recipe
        rows = self._members(run, self.seeds[0])
        captions = read_table(self.work / "data/prepared" / run.dataset / "captions.csv")
        train = rows[rows["split"] == "train"].merge(captions, on="image_id")
        encoded = {
            name: str(self.work / self.encoded(run.dataset) / f"{name}.{kind}")
            for name, kind in (("moments", "npy"), ("texts", "npy"), ("captions", "csv"))
        }
        alike = {"caption_dropout": 0.0, "min_snr_gamma": None, "ema_decay": None, "precision": "fp32"}
        return encoded | {
            "method": run.method,
            "seed": int(run.seed),
            "pipeline": str(self.work / "data/weights" / UNET),
            "split": str(self._splits(run) / "split.csv"),
            "subset": str(self._splits(run) / f"subset-{self.seeds[0]}.csv"),
            "images": [(str(self.work / "images" / row.source_file), row.caption) for row in train.itertuples()],
            "images_seen": STEPS * recipe["batch_size"],
            "image_size": self.study.generated_size,
            "stored_size": stored_size(self.study.generated_size),
            "learning_rate": self.study.unet_learning_rate(run.method),
            "warmup_steps": WARMUP_STEPS,
            "recipe": recipe | alike | {"steps": STEPS},
        }

    def _splits(self, run: Run) -> Path:
        return self.work / f"data/splits/{run.dataset}/{self.study.name}"

    def _members(self, run: Run, seed: str) -> pd.DataFrame:
        tables = self.prepared(run.dataset) / "manifest.csv", self._splits(run) / "split.csv"
        return members(*tables, self._splits(run) / f"subset-{seed}.csv", float(run.fraction))
