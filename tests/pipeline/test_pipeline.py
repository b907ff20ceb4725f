"""The pipeline end to end: a seconds-long study of an archive laid out as the public one, in a copy of the project."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file
from tiny import STUDY, command, make_project, snakemake

from medpeft.artefacts.registry import figures, tables
from medpeft.base.errors import UserError
from medpeft.base.files import sha256
from medpeft.data.images import load_splits
from medpeft.methods.registry import load
from medpeft.networks.delta import load_delta
from medpeft.networks.models import create
from medpeft.pipeline.ledger import entry_of
from medpeft.pipeline.packages import versions
from medpeft.pipeline.study import Study
from medpeft.pipeline.verify import doubts, plan
from medpeft.training.classification import Recipe, predict

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A copy of the project in which the tiny study has run."""
    folder = make_project(tmp_path_factory.mktemp("project"))
    result = snakemake(folder, "--cores", "2", "--quiet")
    assert result.returncode == 0, result.stderr
    return folder


def _jobs(folder: Path, *arguments: str) -> set[str]:
    """Return what a dry run would do: names of rules, of those of a method, table or figure `rule name`."""
    result = snakemake(folder, "--dry-run", *arguments)
    assert result.returncode == 0, result.stderr
    jobs, rule = set(), None
    for line in result.stdout.splitlines():
        if line.startswith(("rule ", "localrule ")):
            rule = line.split()[1].rstrip(":")
            jobs.add(rule)
        if named := re.search(r"wildcards: .*?(?:method|table|figure)=(\w+)", line):
            jobs.discard(rule)
            jobs.add(f"{rule} {named[1]}")
    return jobs


def test_all_artefacts_are_there(finished):
    folder = finished / "results" / "tiny"
    expected = ["runs.csv", "paper.pdf", "audit/busi.csv"]
    tables = ("table1", "table2", "table4", "table6", "memorisation", "downstream", "recommendations", "calibration")
    tables += ("generation_comparisons",)
    tables += ("discrimination", "per_class")
    expected += [f"tables/{name}.{kind}" for name in tables for kind in ("csv", "md", "tex")]
    expected += [
        f"figures/{name}.{kind}"
        for name in ("figure1", "figure2", "figure3", "pareto", "confusion", "roc", "precision_recall", "reliability")
        for kind in ("pdf", "png", "csv")
    ]
    assert [name for name in expected if not (folder / name).stat().st_size] == []
    assert not (folder / "tables/table3.csv").exists()  # without an experiment of that name
    assert not (folder / "figures/critical_difference.pdf").exists()  # with a single block


def test_a_study_of_pipelines_alone_has_tables_figures_and_a_paper(finished):
    alone = STUDY | {"study": "pipelines", "experiments": {"table4": STUDY["experiments"]["table4"]}}
    (finished / "pipelines.yaml").write_text(yaml.safe_dump(alone, sort_keys=False))
    result = snakemake(finished, "--cores", "2", "--quiet", study="pipelines.yaml")
    assert result.returncode == 0, result.stderr
    results = finished / "results" / "pipelines"
    tables = {path.name for path in results.glob("tables/*.csv")}
    assert {"table1.csv", "table4.csv", "table6.csv", "memorisation.csv", "costs.csv"} <= tables
    assert not tables & {"table2.csv", "comparisons.csv", "ranks.csv", "recommendations.csv", "calibration.csv"}
    assert {path.name for path in results.glob("figures/*")} == {f"figure2.{kind}" for kind in ("csv", "pdf", "png")}
    assert (results / "paper.pdf").stat().st_size
    shown = pd.read_csv(results / "figures/figure2.csv")
    assert set(shown["method"]) == {"real", "full", "lora", "bias"}
    assert shown.loc[shown["method"] == "bias", "file"].isna().all()  # its run failed
    assert all((finished / file).exists() for file in shown.loc[shown["method"].isin(["full", "lora"]), "file"])


def test_the_records_tell_table1_what_a_method_trains(finished):
    table = pd.read_csv(finished / "results/tiny/tables/table1.csv").set_index("method")
    method = load("ssf")
    assert table.loc["ssf", ["title", "family", "source"]].to_list() == ["SSF", method.family, method.source]
    assert table.at["ssf", "trains"] == method.trains
    assert set(table.at["ssf", "encoders"].split()) == method.encoders


def test_runs_table_has_every_run_of_every_experiment(finished):
    runs = pd.read_csv(finished / "results" / "tiny" / "runs.csv")
    assert len(runs) == 3 + 4 + 3
    assert set(runs.loc[runs["method"] != "bias", "status"]) == {"ok"}
    shared = runs[(runs["method"] == "ssf") & (runs["fraction"] == 0.1)]
    assert set(shared["experiment"]) == {"table2", "figure1"}
    assert shared["f1_micro"].nunique() == 1


def test_runs_of_pipelines_have_their_own_scores(finished):
    runs = pd.read_csv(finished / "results" / "tiny" / "runs.csv").set_index("experiment")
    generated = runs.loc["table4"]
    scores = ["fid", "kid", "precision", "recall"]
    assert set(generated["task"]) == {"text-to-image"}
    assert set(generated["feature_extractor"]) == {"efficientnet_lite0"}
    assert generated.loc[generated["status"] == "ok", [*scores, "memorised"]].notna().all().all()
    assert generated["accuracy"].isna().all()
    assert runs.loc["table2", scores].isna().all().all()
    folder = finished / "results/tiny/runs/busi/tiny_diffusion/lora/0.1/0"
    files = pd.read_csv(folder / "generated/test.csv")["file"]
    assert sorted(files) == sorted(
        str(path.relative_to(folder / "generated/test")) for path in (folder / "generated/test").glob("*/*.png")
    )
    assert len(files) == 2 * 12
    assert len(pd.read_csv(folder / "generated/train.csv")) == 9
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["fid_sd"] > 0
    assert metrics["floor_fid_low"] < metrics["floor_fid"] < metrics["floor_fid_high"]
    assert metrics["floor_images"] == metrics["n_test"] == 12
    jackknife = pd.read_csv(folder / "jackknife.csv")
    assert jackknife["fid"].iloc[0] == metrics["fid"]
    assert jackknife["left_out"].to_list() == [0] + [1] * 12
    differences = pd.read_csv(finished / "results/tiny/generation_comparisons.csv")
    assert set(differences[["reference", "method"]].itertuples(index=False, name=None)) == {("full", "lora")}
    assert differences["p_value"].isna().all()  # of one seed
    judged = differences[differences["metric"].isin(["fid", "kid"])]
    assert (judged["low"] < judged["high"]).all()


def test_generated_images_are_audited_and_trained_on(finished):
    folder = finished / "results/tiny/runs/busi/tiny_diffusion/lora/0.1/0"
    copies = pd.read_csv(folder / "memorisation.csv")
    assert list(copies["file"]) == [f"0/{number:05d}.png" for number in range(12)]
    splits = pd.read_csv(finished / "data/splits/busi/tiny/split.csv").set_index("image_id")["split"]
    assert set(splits[copies["nearest"]]) == {"train"}
    facts = json.loads((folder / "memorisation.json").read_text())
    assert facts["memorised"] == copies["flagged"].mean()
    assert facts["training"] == json.loads((folder / "record.json").read_text())["n_train"]
    scores = pd.read_csv(folder / "downstream.csv").set_index("trained_on")
    assert list(scores["n_train"]) == [facts["training"], 9, facts["training"] + 9]
    assert scores["auroc"].notna().all()


def test_a_failed_run_of_a_pipeline_is_a_gap(finished):
    results = finished / "results/tiny"
    folder = results / "runs/busi/tiny_diffusion/bias/0.1/0"
    run = pd.read_csv(results / "runs.csv").set_index("method").loc["bias"]
    assert run["status"].startswith("failed: the loss was not finite")
    assert run[["fid", "memorised"]].isna().all()
    assert len(pd.read_csv(folder / "memorisation.csv")) == 0
    assert (folder / "memorisation.png").stat().st_size
    assert pd.read_csv(folder / "downstream.csv").set_index("trained_on")["auroc"].isna().to_dict() == {
        "real": False,
        "generated": True,
        "both": True,
    }
    for name in ("memorisation", "downstream"):
        assert "Bias on BUSI breast ultrasound, tiny_diffusion: 1 of 1" in (
            results / f"tables/{name}.md"
        ).read_text().replace("\\_", "_")


def test_published_adapter_gives_the_published_predictions(finished):
    run = finished / "results/tiny/runs/busi/efficientnet_lite0/ssf/0.1/0"
    record = json.loads((run / "record.json").read_text())
    splits, prepared = finished / "data/splits/busi/tiny", finished / "data/prepared/busi/37px"
    classes, parts = load_splits(
        prepared / "images.npy", prepared / "manifest.csv", splits / "split.csv", splits / "subset-0.csv", 0.1
    )
    weights = finished / "data/weights/efficientnet_lite0/model.safetensors"
    model = create("efficientnet_lite0", len(classes), weights, load("ssf"), seed=0)
    load_delta(model, load_file(run / "adapter.safetensors"))
    torch.set_num_threads(1)
    recipe = Recipe(**record["asked"]["recipe"])
    probabilities = predict(model, parts["test"], recipe).double().softmax(1)
    published = pd.read_csv(run / "predictions.csv")
    assert list(published["image_id"]) == list(parts["test"].rows["image_id"])
    np.testing.assert_array_equal(published.filter(like="probability_").to_numpy(), probabilities.numpy())


def test_jobs_run_the_library_beside_the_workflow_not_one_that_is_installed(finished):
    """The project's copy is not the one that is installed: jobs once ran that."""
    path, table = finished / "scripts/medpeft/artefacts/tables/table1.py", finished / "results/tiny/tables/table1.md"
    before, made = path.read_text(), table.read_bytes()
    path.write_text(before.replace("Selective methods train", "Here selective methods train"))
    try:
        assert snakemake(finished, "--cores", "1", "--quiet", "--", "results/tiny/tables/table1.md").returncode == 0
        assert "Here selective methods train" in table.read_text()
    finally:
        path.write_text(before)
    assert snakemake(finished, "--cores", "2", "--quiet").returncode == 0
    assert table.read_bytes() == made


def test_finished_study_has_nothing_left_to_do(finished):
    assert _jobs(finished) == set()


def _of(rules: tuple[str, ...], methods: tuple[str, ...]) -> set[str]:
    return {f"{rule} {method}" for rule in rules for method in methods}


def _after(*sources: str) -> set[str]:
    """Return the tables and figures of the study that are made of any of `sources`, and what follows from them."""
    kept = {name: made for name, made in (tables() | figures()).items() if not Study(STUDY).lacks(made)}
    made_of = {f"{made.stage} {name}" for name, made in kept.items() if not set(made.sources).isdisjoint(sources)}
    return made_of | {"findings", "typeset", "all"}


STATISTICS = ("scores", "comparisons", "crossovers", "ranks", "friedman", "recommendations")
STATISTICS += ("generation_intervals", "generation_comparisons")
DETAILS = ("per_class", "confusions", "curves", "reliability")
COLLECTED = {"collect", "compare", "compare_generated", "rank", "classwise"} | _after("runs", *STATISTICS, *DETAILS)
AUDITED = {"audit_dataset", "card"}
SEARCHED = _of(("tune", "finetune", "evaluate"), ("full", "linear_probe", "ssf"))
EVALUATED = _of(("evaluate",), ("full", "linear_probe", "ssf"))
GENERATED = _of(("generate", "fidelity", "copies", "downstream_classifier"), ("full", "lora", "bias")) | {"samples"}
CLASSIFIED = _of(("downstream_classifier",), ("full", "lora", "bias"))
LIKENED = _of(("fidelity",), ("full", "lora", "bias"))
RUNS = SEARCHED | _after("records", "searches") | COLLECTED
IMAGES = GENERATED | _after("memorisations", "downstreams") | COLLECTED
GENERATIONS = IMAGES | _of(("finetune_unet",), ("full", "lora", "bias")) | _after("records")
COUNTED = {"count", "table table6", "typeset", "all"}
PREPARED = {
    "prepare",
    "captions",
    "duplicates",
    "split",
    "subset",
    "embed",
    "encode",
    "reference",
    "features",
    "floor",
} | AUDITED
# What is edited, and every job that runs again: rules, with the method or artefact where it matters.
RERUNS = {
    "scripts/medpeft/methods/additive/ssf.py": _of(("tune", "finetune", "evaluate"), ("ssf",))
    | _after("records", "searches")
    | COLLECTED
    | COUNTED,
    "scripts/finetune.py": _of(("finetune", "evaluate"), ("full", "linear_probe", "ssf"))
    | _after("records")
    | COLLECTED,
    "scripts/evaluate.py": EVALUATED | COLLECTED,
    "scripts/medpeft/training/classification.py": RUNS,
    "scripts/medpeft/training/loop.py": RUNS | GENERATIONS,
    "scripts/medpeft/networks/device.py": RUNS | GENERATIONS | {"embed", "reference", "features"},
    "scripts/medpeft/training/embed.py": {"embed"}
    | _of(("tune", "finetune", "evaluate"), ("linear_probe",))
    | _after("records", "searches")
    | COLLECTED,
    "scripts/medpeft/generation/generate.py": IMAGES,
    "scripts/medpeft/statistics/evaluate.py": EVALUATED | CLASSIFIED | _after("downstreams") | COLLECTED,
    "scripts/medpeft/statistics/metrics.py": EVALUATED
    | CLASSIFIED
    | _after("downstreams")
    | COLLECTED
    | {"samples", "reference", "floor", "figure tuning"}
    | LIKENED,
    "scripts/medpeft/statistics/generated/compare_generated.py": {"compare_generated"}
    | _after("generation_intervals", "generation_comparisons"),
    "scripts/medpeft/generation/likeness.py": {"reference"} | LIKENED | COLLECTED,
    "scripts/medpeft/statistics/searches.py": RUNS,
    "scripts/medpeft/statistics/scoring/by_class.py": RUNS
    | CLASSIFIED
    | _after("downstreams")
    | {"samples", "floor", "reference"}
    | LIKENED,
    "scripts/medpeft/statistics/rank.py": {"rank"} | _after("ranks", "friedman", "recommendations"),
    "scripts/medpeft/artefacts/panels.py": {"figure figure1", "figure figure3", "figure pareto", "figure tuning"}
    | {"figure confusion", "figure roc", "figure precision_recall", "figure reliability"}
    | {"table per_class", "samples", "typeset", "all"},
    "scripts/medpeft/artefacts/tables/costs.py": {"table costs", "typeset", "all"},
    "scripts/medpeft/artefacts/figures/pareto.py": {"figure pareto", "typeset", "all"},
    "scripts/medpeft/data/archives.py": PREPARED | RUNS | GENERATIONS | COUNTED,  # which the dataset's module imports
    "scripts/medpeft/base/errors.py": set(),
    "paper/paper.typ": {"typeset", "all"},
    "rules/classification.smk": set(),
    "envs/train.yaml": set(),
    "data/raw/busi/busi.zip": PREPARED | RUNS | GENERATIONS,
}


@pytest.mark.parametrize(("name", "expected"), RERUNS.items(), ids=RERUNS.keys())
def test_an_edited_file_reruns_what_depends_on_it_and_nothing_else(finished, name, expected):
    path = finished / name
    before, times = path.read_bytes(), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(before + b"\n# edited\n")
    try:
        assert _jobs(finished) == expected
    finally:
        path.write_bytes(before)
        os.utime(path, ns=times)


def _with_fraction(fraction: float) -> dict:
    experiments = copy.deepcopy(STUDY["experiments"])
    experiments["figure1"]["fractions"].append(fraction)
    return experiments


CLASSES = ("benign", "malignant", "normal")
# To test on another dataset trains nothing.
TESTED = {"download", "prepare", "duplicates", "embed", "external_set", "external_validation", "table external"}
TESTED |= _of(("external_predictions",), ("full", "linear_probe", "ssf")) | {"findings", "typeset", "all"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"recipe": STUDY["recipe"] | {"weight_decay": 1e-3}}, RUNS),
        ({"tuning": STUDY["tuning"] | {"trials": 3}}, RUNS),
        ({"split": {"seed": 1}}, {"split", "subset", "reference", "floor"} | AUDITED | RUNS | GENERATIONS),
        (
            {"experiments": _with_fraction(0.2)},
            _of(("finetune", "evaluate"), ("full", "ssf")) | _after("records") | COLLECTED,
        ),
        ({"generation": STUDY["generation"] | {"guidance": 3}}, IMAGES),
        ({"primary_metric": "auroc"}, RUNS | {"table downstream"}),
        ({"mirror": "elsewhere"}, set()),
        ({"test_on": {"busi": ["clinic"]}, "datasets": {"clinic": {"classes": list(CLASSES)}}}, TESTED),
        ({"accept": {"busi": {"unreadable": 3, "strangers": 1}}}, set()),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_edited_study_reruns_what_depends_on_it_and_nothing_else(finished, change, expected):
    (finished / "tiny.yaml").write_text(yaml.safe_dump(STUDY | change, sort_keys=False))
    try:
        assert _jobs(finished) == expected
    finally:
        (finished / "tiny.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))


def test_the_results_belong_to_the_settings_code_and_data_that_made_them(finished):
    said = snakemake(finished, "--cores", "1", "--", "verify").stdout
    assert re.search(r"all \d+ files of the study, with 8 runs, are there and belong", said)
    assert re.findall(r"not checked: ([^:]+): \d+ files", said) == ["logs"], said
    table, before = (
        finished / "results/tiny/tables/table2.md",
        (finished / "results/tiny/tables/table2.md").read_bytes(),
    )
    table.write_bytes(before.replace(b"|", b"!", 1))
    try:
        result = snakemake(finished, "--cores", "1", "--", "verify")
    finally:
        table.write_bytes(before)
    assert result.returncode != 0
    assert re.search(r"medpeft: verify: 1 of \d{3} files", result.stderr)
    assert "table2.md, has changed since it was made" in result.stderr


RUN = "results/tiny/runs/busi/efficientnet_lite0/full/0.1/0"


def test_one_other_byte_in_any_file_of_a_study_is_noticed(finished, monkeypatch):
    monkeypatch.chdir(finished)
    planned = plan(command())
    assert doubts(planned, versions(), sha256) == {}
    entries = [entry_of(log) for log in {file.log for file in planned}]
    files = {path for entry in entries for path in [*entry["inputs"], *entry["outputs"]]}
    assert {
        path for path in map(str, _files(finished)) if "/tiny_diffusion/" not in path or path.endswith(".csv")
    } <= files
    for path in sorted(files):
        before = Path(path).read_bytes()
        Path(path).write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        assert any(path in f"{file} {reason}" for file, reason in doubts(planned, versions(), sha256).items()), path
        Path(path).write_bytes(before)


# The ledger itself, which has a seal; what another test's study has; what Snakemake puts into folders.
PASSED = {"provenance", "pipelines", ".snakemake_timestamp"}


def _files(folder: Path) -> list[Path]:
    """Return the files of results and data but for logs and the ledger itself."""
    found = (path.relative_to(folder) for part in ("results/tiny", "data") for path in (folder / part).rglob("*"))
    return [
        path for path in found if (folder / path).is_file() and path.suffix != ".log" and PASSED.isdisjoint(path.parts)
    ]


@pytest.mark.parametrize("change", [{"tuning": STUDY["tuning"] | {"trials": 3}}, {"split": {"seed": 1}}], ids=str)
def test_another_study_is_not_what_the_results_belong_to(finished, change, monkeypatch):
    (finished / "tiny.yaml").write_text(yaml.safe_dump(STUDY | change, sort_keys=False))
    monkeypatch.chdir(finished)
    try:
        assert "is not what would be made now (params changed)" in doubts(plan(command()), versions(), sha256).values()
    finally:
        (finished / "tiny.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))


SCHEMA = yaml.safe_load((Path(__file__).parents[2] / "schemas" / "study.schema.yaml").read_text())["properties"]
GROUPS = ("split", "recipe", "tuning", "generation")
KEYS = [(name,) for name in SCHEMA if name not in GROUPS] + [
    (group, name) for group in GROUPS for name in SCHEMA[group]["properties"]
]
# Keys whose value decides nothing that is there, or whose other values no study of this size can have.
UNDECIDED = {
    ("mirror",): "where archives come from",
    ("checksums",): "checked when an archive is fetched",
    ("datasets",): "of other datasets",
    ("experiments",): "other runs; those that are there belong",
    ("split", "files"): "tested with datasets of the user's own",
    ("split", "counterpart"): "a study that is not there",
    ("tuning", "counterpart"): "a study that is not there",
    ("accept",): "what is refused",
    ("subgroups",): "further tables; what is there belongs",
    ("test_on",): "further tables; what is there belongs",
    ("largest_image",): "what is refused",
    ("power",): "assumed before a study runs",
}
OTHER = {
    ("study",): "other",
    ("primary_metric",): "auroc",
    ("generation", "pipelines"): {"tiny_diffusion": "owner/name"},
    ("generation", "learning_rates"): {"bias": 1e29},
    ("generation", "scheduler"): "DDIMScheduler",
    ("generation", "extractor"): "resnet18",
}


def _other(key: tuple[str, ...]) -> Any:
    """Return another valid value of a key than the one that the study has."""
    if key in OTHER:
        return OTHER[key]
    now = Study(STUDY).settings
    schema: dict = {"properties": SCHEMA}
    for name in key:
        schema, now = schema["properties"][name], now[name]
    if "enum" in schema:
        return next(value for value in schema["enum"] if value != now)
    if isinstance(now, bool):
        return not now
    if isinstance(now, list):
        return [0.4, *now[1:]]
    if isinstance(now, int) or schema["type"] == "integer" or "integer" in schema["type"]:
        return (now or 31) + 1
    return (now or 0.5) / 2


def _is_noticed() -> bool:
    try:
        return bool(doubts(plan(command()), versions(), sha256))
    except UserError:  # the study is refused
        return True


@pytest.mark.exhaustive
@pytest.mark.parametrize("key", [key for key in KEYS if key not in UNDECIDED], ids=".".join)
def test_any_key_of_the_study_with_another_value_is_noticed(finished, key, monkeypatch):
    monkeypatch.chdir(finished)
    study = copy.deepcopy(STUDY)
    inner = study.setdefault(key[0], {}) if len(key) == 2 else study
    inner[key[-1]] = _other(key)
    (finished / "tiny.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    try:
        assert _is_noticed()
    finally:
        (finished / "tiny.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))


# Scripts that no job of the tiny study runs.
UNUSED = {"appraise", "forget_failed", "inception", "pretrain", "pretrain_diffusion", "verify"}
UNUSED |= {"attributes", "compare_subgroups", "external_predictions", "external_set", "external_validation"}
FETCHING = {"download", "weights", "diffusion_pipeline"}  # what was fetched does not change with the code that did it


@pytest.mark.exhaustive
@pytest.mark.parametrize("script", sorted(path.stem for path in (Path(__file__).parents[2] / "scripts").glob("*.py")))
@pytest.mark.parametrize("text", ["\n# edited\n", "\nTEN = 10\n"], ids=["comment", "number"])
def test_any_script_that_was_edited_is_noticed(finished, script, text, monkeypatch):
    monkeypatch.chdir(finished)
    path = finished / "scripts" / f"{script}.py"
    before = path.read_text()
    path.write_text(before + text)
    try:
        found = doubts(plan(command()), versions(), sha256)
        assert bool(found) == (script not in UNUSED | FETCHING)
    finally:
        path.write_text(before)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (RUN, "all"),
        ("data", "figure1"),
        ("results/tiny/runs.csv", "table2"),
        ("results/tiny/scores.csv", "all"),
        (f"{RUN}/predictions.csv", "paper"),
    ],
)
def test_what_was_deleted_is_made_again(finished, name, target):
    path, aside = finished / name, finished / "aside"
    path.rename(aside)
    try:
        assert _jobs(finished, target)
    finally:
        aside.rename(path)


def test_every_file_that_a_job_writes_is_kept(finished):
    """What the target `all` does not name would stay missing once it is deleted."""
    said = snakemake(finished, "--dry-run", "--forcerun", "all", "--printshellcmds").stdout
    named = set(re.search(r"rule all:\n    input: (.*)\n", said)[1].split(", "))
    made = {line.split("\t")[0] for line in snakemake(finished, "--summary").stdout.splitlines()[1:]}
    assert made - {"output_file"} <= named


def test_failed_runs_are_tried_again_when_they_are_forgotten(finished):
    failed = finished / "results/tiny/runs/busi/tiny_diffusion/bias"
    shutil.copytree(failed, finished / "aside")
    assert "1 failed runs" in snakemake(finished, "--cores", "1", "--", "forget_failed").stdout
    try:
        assert "finetune_unet bias" in _jobs(finished)
    finally:
        shutil.rmtree(failed, ignore_errors=True)
        (finished / "aside").rename(failed)


def test_same_study_on_one_core_gives_the_same_bytes(finished, tmp_path):
    folder = make_project(tmp_path)
    result = snakemake(folder, "--cores", "1", "--quiet", "--", "results/tiny/runs.csv")
    assert result.returncode == 0, result.stderr
    metrics = sorted(path.relative_to(folder) for path in folder.glob("results/tiny/runs/**/metrics.json"))
    assert len(metrics) == 5 + 3
    assert all((folder / path).read_bytes() == (finished / path).read_bytes() for path in metrics)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"recipe": {"epohcs": 3}}, "recipe: .*'epohcs' was unexpected"),
        ({"mirror": "nowhere"}, "mirror"),
        ({"checksums": {"busi.zip": "sha256:" + 64 * "0"}}, "busi.zip.*checksum"),
    ],
)
def test_bad_study_ends_in_one_sentence(tmp_path, change, sentence):
    folder = make_project(tmp_path)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(STUDY | change, sort_keys=False))
    result = snakemake(folder, "--cores", "1", "results/tiny/audit/busi.csv")
    assert result.returncode != 0
    lines = [line for line in result.stderr.splitlines() if line.startswith("medpeft: ")]
    assert len(lines) == 1
    assert re.search(sentence, lines[0])


def test_the_default_study_takes_another_name_on_the_command_line(tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "snakemake", "--snakefile", root / "Snakefile", "--directory", tmp_path]
    options = ["--cores", "1", "--dry-run", "--quiet", "rules", "--config", "study=mine", "--", "results/mine/runs.csv"]
    result = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_misspelt_method_is_named_with_the_right_one(tmp_path):
    folder = make_project(tmp_path)
    study = json.loads(json.dumps(STUDY))
    study["experiments"]["table2"]["methods"] = ["sff"]
    (folder / "tiny.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    result = snakemake(folder, "--dry-run")
    assert result.returncode != 0
    assert "'sff' at experiments.table2.methods" in result.stderr
    assert "'ssf'" in result.stderr
