"""How fast the pipeline is beside what users run instead: `make benchmark`; README.md says what it means.

Every measurement is written to `results/<machine>.json` at once: called again after a kill, it goes on where it was.
"""

import argparse
import ctypes
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure
from scipy.stats import t

from medpeft.artefacts.palette import BLACK, BLUE, GREEN, VERMILLION
from medpeft.base.errors import UserError
from medpeft.base.files import read_json, read_table, write_json, write_table
from medpeft.data import registry as datasets
from medpeft.data.archives import Source
from medpeft.data.subset import members
from medpeft.methods import registry as methods
from medpeft.pipeline.provenance import provenance
from medpeft.pipeline.study import Run, Study, stored_size

HERE = Path(__file__).parent
ROOT = HERE.parent
CORES = 2  # which every contender has for its processes, one a core
LEAST_SHARE = 0.8  # of the recorded ratio, below which the pipeline has become slower
CERTAINTY = 0.9973  # with which scores must differ: three standard errors where there are many runs
CLOCKS = ("seconds", "cpu_seconds", "train_seconds")
PIPELINE = "pipeline"
ARRAYS, FEATURES, LATENTS = "arrays, duplicates and split", "features for linear probing", "latents and texts"
SCRIPTS = {
    "plain": ["plain.py"],
    "trainer": ["trainer.py"],
    "diffusers": ["text_to_image.py", "diffusers"],
    PIPELINE: ["text_to_image.py", "pipeline"],  # of runs on a U-Net; all others are Snakemake's
}
TITLES = {
    PIPELINE: "medpeft",
    "plain": "PyTorch script",
    "trainer": "transformers Trainer",
    "diffusers": "diffusers loop",
}
COLOURS = {"plain": BLUE, "trainer": VERMILLION, "diffusers": GREEN}
TRAINER_METHODS = ("full", "linear_probe", "lora")  # that transformers and peft have
UNET, UNET_METHODS, UNET_SEEDS = "latent_diffusion_mini", ("full", "lora"), range(4)
WARMUP_STEPS, STEPS = 10, 50  # of a U-Net
PR_SET_CHILD_SUBREAPER = 36  # of prctl
PACKAGES = ("torchvision", "transformers", "accelerate", "snakemake")


class Cost(NamedTuple):
    """What processes took: seconds of the wall and of the processors, bytes of memory of the largest of them."""

    seconds: float
    cpu_seconds: float
    memory_bytes: int


def timed(command: list[str], log: Path, threads: int) -> Cost:
    """Run `command`, its output into the file `log`, and return its cost; a failure is a `UserError` that names it.

    Processes that it leaves behind, as the pipeline's warm process is, are ended and counted.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT / "scripts"), str(HERE)]), "OMP_NUM_THREADS": str(threads)}
    with open(log, "wb") as stream:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | paths, stdout=stream, stderr=stream, process_group=0
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    usages = [usage, *_end_of_group(process.pid)]
    if process.returncode:
        raise UserError(f"{' '.join(command[1:3])} ended with status {process.returncode}: {log} says why")
    unit = 1 if sys.platform == "darwin" else 1024
    processor = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return Cost(seconds, processor, max(usage.ru_maxrss for usage in usages) * unit)


def adopt_orphans() -> None:
    """Become the parent of what children leave behind, for only a parent learns what a process has cost."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_of_group(group: int) -> Iterator:
    """End what is left of a process group and yield the usage of each process."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
    with suppress(ChildProcessError):
        while True:
            yield os.wait4(-group, 0)[2]


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
        searches = {run.search for run in self.runs}
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
        rate = self.work / f"results/{self.study.name}/tuning/{run.search}/learning_rate.json"
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
        train = rows[rows["split"] == "train"]
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
            "learning_rate": self.study.unet_rate(run.method),
            "warmup_steps": WARMUP_STEPS,
            "recipe": recipe | alike | {"steps": STEPS},
        }

    def _splits(self, run: Run) -> Path:
        return self.work / f"data/splits/{run.dataset}/{self.study.name}"

    def _members(self, run: Run, seed: str) -> pd.DataFrame:
        tables = self.prepared(run.dataset) / "manifest.csv", self._splits(run) / "split.csv"
        return members(*tables, self._splits(run) / f"subset-{seed}.csv", float(run.fraction))


@dataclass(frozen=True)
class Comparison:
    """The same runs by the pipeline and by one other contender.

    `clock` is what is compared: `seconds` of the wall for all runs, start-ups included, or their `train_seconds`.
    """

    name: str
    title: str
    material: Material
    other: str
    runs: list[Run]
    clock: str = "seconds"
    score: str = "f1_micro"

    def order(self, repeat: int) -> list[str]:
        """Return the contenders in the order of this repeat: who begins alternates."""
        contenders = [PIPELINE, self.other]
        return contenders[:: 1 if repeat % 2 == 0 else -1]


def comparisons(material: Material) -> list[Comparison]:
    """Return what is compared on one study."""
    name = material.study.name
    had = [run for run in material.runs if run.method in TRAINER_METHODS]
    probed = [run for run in material.runs if run.method == "linear_probe"]
    found = [
        Comparison(f"{name}_sweep_plain", f"{name}: low-data sweep", material, "plain", material.runs),
        Comparison(f"{name}_sweep_trainer", f"{name}: low-data sweep", material, "trainer", had),
        Comparison(f"{name}_linear_probe", f"{name}: linear probing", material, "plain", probed),
    ]
    if material.has_unet:
        for method in UNET_METHODS:
            runs, title = material.unet_runs(method), f"{name}: text to image, {method}"
            name_of = f"{name}_text_to_image_{method}"
            found.append(Comparison(name_of, title, material, "diffusers", runs, "train_seconds", "loss"))
    return [comparison for comparison in found if comparison.runs]


def measure(comparison: Comparison, contender: str, runs: list[Run]) -> dict:
    """Let one contender do `runs` and return the cost, the images seen and the scores of each run."""
    material = comparison.material
    by_snakemake = contender == PIPELINE and comparison.score == "f1_micro"
    cost, results = (_snakemake if by_snakemake else _processes)(material, contender, runs)
    return cost._asdict() | {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "train_seconds": sum(result["train_seconds"] for result in results),
        "images": sum(material.job(run)["images_seen"] for run in runs),
        "runs": {run.path: result for run, result in zip(runs, results, strict=True)},
    }


def _snakemake(material: Material, _: str, runs: list[Run]) -> tuple[Cost, list[dict]]:
    folders = [f"results/{material.study.name}/runs/{run.path}" for run in runs]
    for folder in folders:
        shutil.rmtree(material.work / folder, ignore_errors=True)
    cost = material.snakemake(*(f"{folder}/metrics.json" for folder in folders))
    return cost, [_published(material.work / folder) for folder in folders]


def _published(folder: Path) -> dict:
    metrics, record = read_json(folder / "metrics.json"), read_json(folder / "record.json")
    if record["status"] != "ok":
        raise UserError(f"the run in {folder} has come to nothing ({record['status']}): see its log")
    scores = {name: metrics[name] for name in ("accuracy", "f1_micro", "f1_macro")}
    return {"scores": scores, "train_seconds": record["cost"]["train_seconds"]}


def _processes(material: Material, contender: str, runs: list[Run]) -> tuple[Cost, list[dict]]:
    """Start a process a run, as many at a time as there are cores."""
    folders = [material.work / "jobs" / material.study.name / contender / run.path for run in runs]
    for run, folder in zip(runs, folders, strict=True):
        write_json(folder / "job.json", material.job(run))
        (folder / "result.json").unlink(missing_ok=True)
    script, *arguments = SCRIPTS[contender]

    def start(folder: Path) -> Cost:
        files = [str(folder / "job.json"), str(folder / "result.json")]
        return timed([sys.executable, str(HERE / script), *arguments, *files], folder / "log.txt", material.threads)

    started = time.perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        costs = list(pool.map(start, folders))
    seconds = time.perf_counter() - started
    _, processor, memory = zip(*costs, strict=True)
    return Cost(seconds, sum(processor), max(memory)), [read_json(folder / "result.json") for folder in folders]


class Record:
    """The file with every measurement on this machine, and for each comparison the last ratio that held: its baseline.

    A session is one state of the code measured `repeats` times. It begins when the last one is finished or the code is
    another, and replaces its measurements; its ratios become baselines, but for those that had fallen or whose scores
    differed.
    """

    def __init__(self, path: Path):
        self.path = path
        self.content = read_json(path) if path.exists() else {"preparation_seconds": {}, "comparisons": {}}

    def begin(self, names: list[str], repeats: int, code: str, origin: dict, forget: Callable[[], None]) -> None:
        """Go on with the session of this `code` if it lacks something, or begin a new one, after `forget()`."""
        entries = self.content["comparisons"]
        unfinished = any(len(list(_whole(entries.get(name, {})))) < repeats for name in names)
        if self.content.get("code") == code and unfinished:
            return
        forget()
        for entry in entries.values():
            ratio, finished = summary(entry), len(list(_whole(entry))) >= self.content["asked"]
            if finished and ratio and ratio["equal"] and not ratio["fallen"]:
                entry["baseline"] = {"ratio": ratio["ratio"], "commit": self.content["origin"]["commit"]}
            entry["repeats"] = []
        self.content |= {"code": code, "origin": origin, "asked": repeats, "preparation_seconds": {}}
        self.save()

    def lacks(self, comparison: Comparison, repeat: int, contender: str) -> bool:
        repeats = self._entry(comparison)["repeats"]
        return repeat >= len(repeats) or contender not in repeats[repeat]

    def add(self, comparison: Comparison, repeat: int, contender: str, measurement: dict) -> None:
        """Add one measurement and write the file."""
        repeats = self._entry(comparison)["repeats"]
        repeats += [{} for _ in range(repeat + 1 - len(repeats))]
        repeats[repeat][contender] = measurement
        self.save()

    def save(self) -> None:
        write_json(self.path, self.content)

    def _entry(self, comparison: Comparison) -> dict:
        about = {name: getattr(comparison, name) for name in ("title", "other", "clock", "score")}
        entry = self.content["comparisons"].setdefault(comparison.name, {"repeats": [], "baseline": None})
        entry |= about | {"count": len(comparison.runs)}
        return entry


def _whole(entry: dict) -> Iterator[dict]:
    """Yield the repeats in which both contenders were measured."""
    yield from (repeat for repeat in entry.get("repeats", []) if {PIPELINE, entry["other"]} <= repeat.keys())


def summary(entry: dict) -> dict | None:
    """Return how a comparison came out, or None before its first whole repeat.

    `ratio` is how many times as long as the pipeline the other contender takes, by medians over repeats. `equal` tells
    that no difference is found: the mean of that of the scores of the same run is within `margin`, half of Student's
    interval of `CERTAINTY`, of 0.
    `fallen` tells that the ratio is below `LEAST_SHARE` of the baseline, where both count.
    """
    repeats = list(_whole(entry))
    if not repeats:
        return None
    mine, other = ([repeat[name] for repeat in repeats] for name in (PIPELINE, entry["other"]))
    ratios = {clock: _median(other, clock) / _median(mine, clock) for clock in CLOCKS}
    differences = _scores(mine, entry["score"]) - _scores(other, entry["score"])
    error = float(differences.std(ddof=1) / len(differences) ** 0.5) if len(differences) > 1 else np.nan
    difference = float(differences.mean())
    margin = float(t.ppf((1 + CERTAINTY) / 2, len(differences) - 1) * error)
    equal = not abs(difference) > margin
    least = LEAST_SHARE * entry["baseline"]["ratio"] if entry["baseline"] else 0
    return {
        "ratio": ratios[entry["clock"]],
        "cpu_ratio": ratios["cpu_seconds"],
        "training_ratio": ratios["train_seconds"],
        "ratios": [other[entry["clock"]] / mine[entry["clock"]] for mine, other in zip(mine, other, strict=True)],
        "difference": difference,
        "margin": margin,
        "equal": equal,
        "fallen": equal and ratios[entry["clock"]] < least,
    }


def _median(measurements: list[dict], name: str) -> float:
    return float(np.median([measurement[name] for measurement in measurements]))


def _scores(measurements: list[dict], score: str) -> np.ndarray:
    """Return the score of each run, the mean over repeats."""
    return np.mean([[run["scores"][score] for run in found["runs"].values()] for found in measurements], axis=0)


def table(content: dict) -> pd.DataFrame:
    """Return one row for each contender of each comparison."""
    rows = []
    for name, entry in content["comparisons"].items():
        found = summary(entry)
        for contender in (PIPELINE, entry["other"]) if found else ():
            measurements = [repeat[contender] for repeat in _whole(entry)]
            scores = _scores(measurements, entry["score"])
            other = contender != PIPELINE
            rows.append(
                {
                    "comparison": name,
                    "title": entry["title"],
                    "contender": contender,
                    "runs": entry["count"],
                    "repeats": len(measurements),
                    **{clock: _median(measurements, clock) for clock in CLOCKS},
                    "images_per_second": measurements[0]["images"] / _median(measurements, entry["clock"]),
                    "memory_bytes": max(measurement["memory_bytes"] for measurement in measurements),
                    "score": entry["score"],
                    "mean": scores.mean(),
                    "spread": scores.std(ddof=1) if len(scores) > 1 else np.nan,
                    "difference": found["difference"] if other else np.nan,
                    "margin": found["margin"] if other else np.nan,
                    "clock": entry["clock"],
                    "ratio": found["ratio"] if other else 1.0,
                    "cpu_ratio": found["cpu_ratio"] if other else 1.0,
                    "training_ratio": found["training_ratio"] if other else 1.0,
                    "baseline": entry["baseline"]["ratio"] if other and entry["baseline"] else np.nan,
                    "counts": found["equal"],
                }
            )
    return pd.DataFrame(rows)


def markdown(rows: pd.DataFrame, content: dict) -> str:
    """Return the table for people, and below it where its numbers come from."""
    lines = [
        "| Comparison | Runs | Repeats | Contender | Time | Images/s | Memory "
        "| Score | Difference | Ratio | CPU | Training |",
        "| :-- | --: | --: | :-- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for row in rows.itertuples():
        mark = "" if row.counts else " (scores differ)"
        spread = "" if np.isnan(row.spread) else f" ± {row.spread:.3f}"
        cells = (
            row.title,
            f"{row.runs}",
            f"{row.repeats}",
            TITLES[row.contender],
            f"{getattr(row, row.clock):.1f} s",
            f"{row.images_per_second:.0f}",
            f"{row.memory_bytes / 2**20:.0f} MiB",
            f"{row.mean:.3f}{spread}",
            "" if np.isnan(row.difference) else f"{row.difference:+.3f} ± {row.margin:.3f}",
            f"{row.ratio:.2f}{mark}",
            f"{row.cpu_ratio:.2f}",
            f"{row.training_ratio:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    origin = content["origin"]
    packages = ", ".join(f"{name} {number}" for name, number in origin["packages"].items())
    prepared = "; ".join(
        f"{name}: {', '.join(f'{stage} {seconds:.0f} s' for stage, seconds in stages.items())}"
        for name, stages in content["preparation_seconds"].items()
    )
    lines += [
        "",
        f"{origin['hardware']}, {origin['cores']} cores, two of them used; {origin['date']}, commit {origin['commit']}"
        f"{' with changes' if origin['dirty'] else ''}; Python {origin['python']}, {packages}.",
        f"What the pipeline does once before all runs, apart from the times above: {prepared}.",
    ]
    return "\n".join(lines) + "\n"


def chart(content: dict) -> Figure:
    """Return the figure of all ratios: a bar for the median, a dot for each repeat; hollow where scores differ."""
    found = [(entry, summary(entry)) for entry in content["comparisons"].values()]
    shown = [(entry, ratio) for entry, ratio in found if ratio][::-1]
    figure = Figure(figsize=(7, 0.45 * len(shown) + 1.1), layout="constrained")
    axes = figure.subplots()
    for place, (entry, ratio) in enumerate(shown):
        colour = COLOURS[entry["other"]]
        axes.barh(place, ratio["ratio"], 0.6, color=colour if ratio["equal"] else "none", edgecolor=colour)
        axes.plot(ratio["ratios"], [place] * len(ratio["ratios"]), ".", color=BLACK, ms=4)
        axes.annotate(
            f" {ratio['ratio']:.2f}", (max(ratio["ratio"], *ratio["ratios"], 0), place), va="center", fontsize=8.5
        )
    labels = [f"{entry['title']}\n{TITLES[entry['other']]}, {entry['count']} runs" for entry, _ in shown]
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.axvline(1, color=BLACK, lw=1)
    axes.set_xlim(0, 1.15 * max(max(ratio["ratio"], *ratio["ratios"], 1) for _, ratio in shown))
    axes.set_xlabel("Time, as a multiple of the pipeline's")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def report(content: dict, path: Path) -> None:
    """Write the table as CSV and Markdown and the chart as PNG and PDF beside the record at `path`."""
    rows = table(content)
    if rows.empty:
        return
    write_table(path.with_suffix(".csv"), rows)
    path.with_suffix(".md").write_text(markdown(rows, content), encoding="utf-8")
    figure = chart(content)
    figure.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None})
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None, "ModDate": None})


def code() -> str:
    """Return the hash of all that the times depend on: pipeline, profile, contenders, studies, versions."""
    patterns = (
        "Snakefile",
        "rules/*.smk",
        "profiles/default/*.yaml",
        "schemas/*.yaml",
        "scripts/**/*.py",
        "benchmarks/*.py",
        "benchmarks/*.yaml",
        "requirements.txt",
    )
    files = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def origin() -> dict:
    """Return the machine, the commit and the versions of what is measured."""
    found = provenance({}, [], [])
    packages = found["packages"] | {name: version(name) for name in PACKAGES}
    facts = {name: found[name] for name in ("commit", "dirty", "python", "hardware")}
    date = datetime.now(UTC).date().isoformat()
    return facts | {"packages": packages, "cores": os.cpu_count(), "date": date}


def falls(content: dict) -> list[str]:
    """Return a sentence for each ratio that has fallen too far."""
    found = [(entry, summary(entry)) for entry in content["comparisons"].values()]
    return [
        f"{entry['title']}: {TITLES[entry['other']]} takes {ratio['ratio']:.2f} times as long as the pipeline where it "
        f"took {entry['baseline']['ratio']:.2f} times as long at commit {entry['baseline']['commit']}"
        for entry, ratio in found
        if ratio and ratio["fallen"]
    ]


def run(materials: list[Material], repeats: int, results: Path) -> None:
    """Measure what the session lacks, then write the report; ratios that have fallen are a `UserError`."""
    here = origin()
    name = re.sub(r"[^a-z0-9]+", "_", f"{here['hardware']} {here['cores']} cores".lower()).strip("_")
    adopt_orphans()
    record = Record(results / f"{name}.json")
    compared = [comparison for material in materials for comparison in comparisons(material)]

    def forget() -> None:
        for material in materials:
            material.forget()

    record.begin([comparison.name for comparison in compared], repeats, code(), here, forget)
    for material in materials:
        if seconds := material.prepare():
            record.content["preparation_seconds"].setdefault(material.study.name, {}).update(seconds)
            record.save()
    warm = set()
    for repeat, comparison in product(range(repeats), compared):
        for contender in comparison.order(repeat):
            if record.lacks(comparison, repeat, contender):
                if (comparison.title, contender) not in warm:
                    measure(comparison, contender, comparison.runs[:1])
                    warm.add((comparison.title, contender))
                record.add(comparison, repeat, contender, measure(comparison, contender, comparison.runs))
        report(record.content, record.path)
    print(record.path.with_suffix(".md").read_text(encoding="utf-8"))
    if sentences := falls(record.content):
        raise UserError("; ".join(sentences) + f": find out why, or delete {record.path} to accept it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--mirror", type=Path, help="folder with busi.zip")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    work = HERE / "work"
    materials = [Material(HERE / "embedded.yaml", work)]
    if options.mirror:
        materials.append(Material(HERE / "busi.yaml", work, options.mirror))
    try:
        run(materials, options.repeats, HERE / "results")
    except UserError as error:
        sys.exit(f"medpeft: {error}")


if __name__ == "__main__":
    main()
