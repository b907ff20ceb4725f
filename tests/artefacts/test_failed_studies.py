"""A study of which much or all failed has every table, every figure and a paper, with gaps and the reasons for them."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_paper import PAPER, evidence, judged, with_results

from medpeft.artefacts import registry as artefacts
from medpeft.artefacts.findings import findings
from medpeft.artefacts.markup import RENDERERS
from medpeft.artefacts.panels import NOTHING, save
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.typeset import typeset
from medpeft.base.files import read_table, write_json, write_table
from medpeft.base.runs import CELL, Run
from medpeft.data import registry
from medpeft.data.labels import MULTI_CLASS, Labels
from medpeft.generation.copies import MEMORISATION_FACTS
from medpeft.generation.downstream_classifier import DOWNSTREAM_COLUMNS
from medpeft.methods.registry import declared
from medpeft.statistics.classwise import classwise
from medpeft.statistics.collect import RUN_COLUMNS, runs_in
from medpeft.statistics.floor import floor
from medpeft.statistics.generated.compare_generated import compare_generated
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.populations.compare_subgroups import GAP_COLUMNS, SUBGROUP_COLUMNS
from medpeft.statistics.populations.external_validation import DIFFERENCE_COLUMNS, EXTERNAL_COLUMNS

CLASSES = ("a", "b")
COSTS = {"adapter_bytes": 2**20, "train_seconds": 2.0, "images_per_second": 9.0, "peak_memory_bytes": 2**30}
PUBLISHED = {path.stem: pd.read_csv(path) for path in (PAPER / "reference").glob("*.csv")}
FLOOR = {"feature_extractor": "inception", "features": 2048, "floor_fid": 9.0, "floor_kid": 0.1, "floor_images": 50}
GENERATED = ("fid", "kid", "precision", "recall")
EXPERIMENTS = {"resnet50": ("table2", "figure1"), "test_vit": ("table3", "table5"), "tiny": ("table4",)}
METHODS = {"resnet50": ("full", "ssf", "tsa"), "test_vit": ("full", "lora", "bitfit"), "tiny": ("full", "lora")}
FAILURES = {
    "everything": lambda run: True,
    "all of one method": lambda run: run.method == "full",
    "all of one dataset": lambda run: run.dataset == "busi",
    "all of one backbone": lambda run: run.backbone == "test_vit",
    "all of one fraction": lambda run: run.fraction == "1",
    "all that generate": lambda run: run.backbone == "tiny",
    "all but one run": lambda run: run != Run("busi", "resnet50", "ssf", "1", "0"),
}


def _runs(fails) -> pd.DataFrame:
    """Return the runs of a study, as `runs.csv` has them, of which those fail that `fails` says."""
    rows = []
    for backbone, methods in METHODS.items():
        for experiment in EXPERIMENTS[backbone]:
            for dataset in ("busi", "ham10000"):
                for method in methods:
                    rows += [
                        _row(experiment, Run(dataset, backbone, method, fraction, str(seed)), fails)
                        for fraction in ("0.1", "1")
                        for seed in (0, 1)
                    ]
    return pd.DataFrame(rows).reindex(columns=RUN_COLUMNS)


def _row(experiment, run, fails) -> dict:
    generates = run.backbone == "tiny"
    scored = [name for name in METRICS if (name in GENERATED) == generates]
    row = {"experiment": experiment, "task": "text-to-image" if generates else "classification", **run.cell}
    row |= {"family": declared(run.method)["family"], "seed": int(run.seed), "n_train": 50, "n_test": 40}
    row |= {"device": "cpu", "trainable_parameters": 1000, "total_parameters": 9000} | (FLOOR if generates else {})
    if fails(run):
        return row | {"status": "failed: the loss was not finite"}
    return row | COSTS | {"status": "ok", "learning_rate": 1e-3} | dict.fromkeys(scored, 0.5)


def _predictions(run: Run) -> pd.DataFrame:
    right = np.random.default_rng(int(run.seed)).random(40)
    table = pd.DataFrame({"image_id": [f"i{n}" for n in range(40)], "cluster": range(40), "label": ["a", "b"] * 20})
    return table.assign(probability_a=np.where(table["label"] == "a", right, 1 - right), probability_b=0.5)


@pytest.fixture(scope="module", params=FAILURES)
def study(request, tmp_path_factory) -> tuple[Sources, dict]:
    """The sources of all artefacts, made by the stages and written and read between them, and the findings."""
    fails, folder = FAILURES[request.param], tmp_path_factory.mktemp("tables")

    def handed_on(table: pd.DataFrame) -> pd.DataFrame:
        write_table(folder / "table.csv", table)
        return read_table(folder / "table.csv")

    runs = handed_on(_runs(fails))
    results = judged(runs, _predictions, handed_on)
    named = runs_in(runs)
    generated = compare_generated(runs, {run: _jackknife() for run in named if run.backbone == "tiny"})
    generated_results = {name: handed_on(table) for name, table in generated._asdict().items()}
    details = classwise(runs, _predictions, _predictions, defaultdict(lambda: MULTI_CLASS))
    sources = Sources(
        runs=runs,
        **generated_results,
        **results,
        parameters=runs.drop_duplicates(CELL[1:3])[[*CELL[1:3], "trainable_parameters", "total_parameters"]].assign(
            head_parameters=10
        ),
        subgroups=pd.DataFrame(columns=SUBGROUP_COLUMNS),
        gaps=pd.DataFrame(columns=GAP_COLUMNS),
        external=pd.DataFrame(columns=EXTERNAL_COLUMNS),
        external_differences=pd.DataFrame(columns=DIFFERENCE_COLUMNS),
        other_scores=results["scores"],
        splits=["grouped", "paper"],
        rate_scores=results["scores"],
        rates_per_fraction=[True, False],
        records={run.search(): {"method": declared(run.method) | {"trains": "what it trains"}} for run in named},
        searches={run.search(): _search(fails(run)) for run in named if run.backbone != "tiny"},
        memorisations={run: _memorisation(fails(run)) for run in named if run.backbone == "tiny"},
        downstreams={run: _downstream(fails(run)) for run in named if run.backbone == "tiny"},
        floors=pd.concat(floor(name, _images(), Labels("multi-class", CLASSES)) for name in ("busi", "ham10000")),
        **{_SOURCE.get(name, name): handed_on(table) for name, table in details._asdict().items()},
        published=PUBLISHED,
    )
    learning_rates = handed_on(artefacts.maker("table", "learning_rates")(sources)[0])
    found = with_results(evidence(), runs, results, learning_rates)
    found = replace(found, datasets={name: registry.load(name) for name in ("busi", "ham10000")})
    return sources, findings(replace(found, generation_comparisons=sources.generation_comparisons))


def _jackknife() -> pd.DataFrame:
    """Return the scores of a run of all images and without each of three groups."""
    table = pd.DataFrame({"group": range(4), "left_out": [0, 9, 9, 9]})
    return table.assign(**{name: [0.5, 0.4, 0.5, 0.7] for name in GENERATED})


_SOURCE = {"scores": "per_class"}


def _images() -> pd.DataFrame:
    """Return the images of a dataset of which two in three are of the class `a`."""
    return pd.DataFrame({"split": ["train"] * 6 + ["test"] * 6, "label": ["a", "b", "a"] * 4})


def _search(fails: bool) -> tuple[pd.DataFrame, dict]:
    trials = pd.DataFrame({"trial": [0, 1], "learning_rate": [1e-4, 1e-3], "validation_score": [0.5, 0.8]})
    choice = {"learning_rate": 1e-3, "validation_score": 0.8}
    if fails:
        trials, choice = trials.assign(validation_score=np.nan), dict.fromkeys(choice)
    choice |= {"validation_images": 50, "floor": 0.5, "blind": False}
    return trials.assign(validation_loss=0.1, state="fail" if fails else "complete", seconds=1.0), choice


def _memorisation(fails: bool) -> dict:
    facts = {"memorised": 0.1, "by_chance": 0.01, "threshold": 0.5, "generated": 50, "real": 40, "training": 50}
    return dict.fromkeys(MEMORISATION_FACTS) if fails else facts


def _downstream(fails: bool) -> pd.DataFrame:
    kinds = {"real": 50, "generated": 0 if fails else 9, "both": 0 if fails else 59}
    scored = dict.fromkeys(DOWNSTREAM_COLUMNS[2:], 0.5)
    rows = [{"trained_on": kind, "n_train": count} | (scored if count else {}) for kind, count in kinds.items()]
    return pd.DataFrame(rows, columns=DOWNSTREAM_COLUMNS)


def test_every_table_is_made(study):
    for name in artefacts.tables():
        numbers, layout = artefacts.maker("table", name)(study[0])
        assert all(len(row) == len(layout.header) for group in layout.groups.values() for row in group), name
        assert all(render(layout) for render in RENDERERS.values())
        assert list(numbers.columns), name


def test_every_figure_is_made(study, tmp_path):
    for name, figure in artefacts.figures().items():
        if figure.stage == "figure":
            numbers, drawing = artefacts.maker("figure", name)(study[0])
            save(drawing, tmp_path / f"{name}.pdf", tmp_path / f"{name}.png")
            assert list(numbers.columns), name
            for axes in drawing.axes:
                said = NOTHING in [text.get_text() for text in axes.texts]
                assert said == (not np.isfinite(axes.dataLim.get_points()).all()) or not axes.axison, name


def test_the_paper_is_made_and_tells_the_reasons(study, tmp_path):
    sources, content = study
    tables, figures = artefacts.tables(), [name for name, f in artefacts.figures().items() if f.stage == "figure"]
    for name in tables:
        (tmp_path / "tables").mkdir(exist_ok=True)
        layout = artefacts.maker("table", name)(sources)[1]
        (tmp_path / "tables" / f"{name}.typ").write_text(RENDERERS["typ"](layout), encoding="utf-8")
    for name in figures:
        drawing = artefacts.maker("figure", name)(sources)[1]
        save(drawing, tmp_path / "figures" / f"{name}.pdf", tmp_path / f"{name}.png")
    write_json(tmp_path / "findings.json", content)
    names = [*tables, *figures]
    typeset(PAPER / "paper.typ", PAPER / "references.yml", tmp_path / "findings.json", names, tmp_path / "paper.pdf")
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")
    failed = content["overview"]["failed"] + content["generation"]["failed"]
    assert all(sentence.endswith("the loss was not finite") for sentence in failed)
    assert ("has a score beside" in content["overview"]["verdict"]) == (content["answers"] == [])
    assert len(failed) == (sources.runs.drop_duplicates([*CELL, "seed"])["status"] != "ok").sum() > 0
