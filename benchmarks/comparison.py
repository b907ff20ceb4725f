"""The same runs by the pipeline and by another contender, measured."""

import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import inputs
from inputs import CORES, Material
from medpeft.base.errors import UserError
from medpeft.base.files import read_json, write_json
from medpeft.base.runs import Run
from processes import HERE, Cost, timed

PIPELINE = "pipeline"
SCRIPTS = {
    "plain": ["plain.py"],
    "trainer": ["trainer.py"],
    "diffusers": ["text_to_image.py", "diffusers"],
    PIPELINE: ["text_to_image.py", "pipeline"],  # of runs on a U-Net; all others are Snakemake's
}
TRAINER_METHODS = ("full", "linear_probe", "lora")  # that transformers and peft have


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
    of_trainer = [run for run in material.runs if run.method in TRAINER_METHODS]
    probed = [run for run in material.runs if run.method == "linear_probe"]
    found = [
        Comparison(f"{name}_sweep_plain", f"{name}: low-data sweep", material, "plain", material.runs),
        Comparison(f"{name}_sweep_trainer", f"{name}: low-data sweep", material, "trainer", of_trainer),
        Comparison(f"{name}_linear_probe", f"{name}: linear probing", material, "plain", probed),
    ]
    if material.has_unet:
        for method in inputs.UNET_METHODS:
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
        raise UserError(f"the run in {folder} failed ({record['status']}): see its log")
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
