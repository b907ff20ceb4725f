"""The paper: sentences that are true of any study, and a PDF that says them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_comparisons import MARGIN, comparisons, overall_rows, rank_tests, recommended

from medpeft.artefacts import registry as artefacts
from medpeft.artefacts.findings import findings
from medpeft.artefacts.markup import TIMES
from medpeft.artefacts.sentences.evidence import Evidence
from medpeft.artefacts.sentences.searching import edge_sentences, searching
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.typeset import placed, typeset
from medpeft.base.errors import UserError
from medpeft.base.files import read_table, write_table
from medpeft.data import registry
from medpeft.data.audit import AUDIT_COLUMNS
from medpeft.pipeline.study import Study
from medpeft.statistics.collect import RUN_COLUMNS
from medpeft.statistics.compare import Question, compare
from medpeft.statistics.crossovers import CROSSOVER_COLUMNS
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.rank import rank
from medpeft.statistics.recommend import recommend

PAPER = Path(__file__).parents[2] / "paper"
GRID = {"datasets": ["busi"], "backbones": ["resnet50"], "methods": ["full"], "fractions": [1], "seeds": [0]}
SETTINGS = Study({"study": "toy", "experiments": {"table2": GRID}}).settings
TITLED = "BUSI breast ultrasound, resnet50"  # how sentences call the toy study's one case
CELL = ["dataset", "backbone", "method", "fraction"]
PARAMETERS = {"full": 9_000_000, "ssf": 60_000, "bias": 4_000, "linear_probe": 100}
GAINS = {"linear_probe": -0.2, "ssf": 0.1, "bias": 0.01}


def judged(runs, read, handed_on) -> dict[str, pd.DataFrame]:
    """Return what the stages make of `runs`, by its name, each table as the next stage finds it: `handed_on`."""
    question = Question("f1_micro", MARGIN)
    results = {name: handed_on(table) for name, table in compare(runs, read, question)._asdict().items()}
    ranks, friedman = map(handed_on, rank(results["scores"], "f1_micro"))
    recommendations = handed_on(recommend(results["overall"], runs))
    return results | {"ranks": ranks, "friedman": friedman, "recommendations": recommendations}


def with_results(found: Evidence, runs, results, learning_rates) -> Evidence:
    """Return evidence of the `results` of other `runs`."""
    kept = {name: results[name] for name in ("scores", "crossovers", "friedman", "recommendations")}
    return replace(found, runs=runs, differences=results["comparisons"], learning_rates=learning_rates, **kept)


def evidence(methods=("full", "linear_probe", "ssf", "bias"), fractions=(0.1, 1.0), seeds=3, failed=()):
    cells = pd.DataFrame(
        [("busi", "resnet50", method, fraction) for method in methods for fraction in fractions], columns=CELL
    )
    scores = cells.assign(metric="f1_micro", n_train=(500 * cells["fraction"]).astype(int))
    scores["mean"] = [0.7 + GAINS.get(method, 0) for method in cells["method"]]
    gains = {method: GAINS[method] for method in methods if method != "full" and "full" in methods}
    differences = comparisons({("busi", "resnet50", f): gains for f in fractions}, seeds=seeds, deviation=0.003)
    compared = pd.concat([overall_rows(gains, fraction=f) for f in fractions]) if gains else overall_rows({})
    runs = cells.merge(pd.DataFrame({"seed": range(seeds)}), how="cross")
    runs = runs.assign(task="classification", experiment="table2", status="ok", device="cpu").reindex(
        columns=RUN_COLUMNS
    )
    runs.loc[runs["method"].isin(failed), "status"] = "failed: the loss is not a number"
    rates = pd.DataFrame([("busi", "resnet50", method) for method in methods], columns=CELL[:3])
    rates = rates.assign(times_full=10.0 if "full" in methods else np.nan, at_edge=False, fraction=np.nan, seed=np.nan)
    rates = rates.assign(blind=False, indistinguishable=1, validation_images=77)
    audit = pd.DataFrame(
        [
            ("", "images", "all", "", 780),
            ("", "near_pairs", "all", "", 31),
            ("paper", "images", "test", "", 119),
            ("paper", "leaked_images", "train-test", "", 17),
            ("grouped", "images", "train", "benign", 300),
        ],
        columns=["protocol", "measure", "scope", "label", "value"],
    )
    return Evidence(
        settings=SETTINGS,
        runs=runs,
        scores=scores,
        differences=differences,
        crossovers=pd.DataFrame(columns=CROSSOVER_COLUMNS),
        friedman=rank_tests({}, {"fraction": 0.1, "status": "too few datasets to rank over: 1", "datasets": 1}),
        recommendations=recommended(compared, PARAMETERS),
        learning_rates=rates,
        datasets={"busi": registry.load("busi")},
        protocols={"busi": "grouped"},
        audits={"busi": audit},
        claims=pd.read_csv(PAPER / "reference" / "claims.csv"),
    )


def claim(found, statement):
    return next(row for row in found["claims"] if row["statement"].startswith(statement))


def with_gains(gains, **how) -> Evidence:
    """Return evidence in which methods have these differences from full fine-tuning with all images."""
    compared = overall_rows(gains, **how) if gains else overall_rows({})
    differences = comparisons({("busi", "resnet50", 1.0): gains}, **how)
    return replace(evidence(), differences=differences, recommendations=recommended(compared, PARAMETERS))


def test_the_answer_recommends_the_cheapest_method_that_is_shown():
    found = findings(evidence())["overview"]["verdict"]
    assert found.startswith(
        "For convolutional networks with all training images and the learning rates of one search use Bias: it is the "
        "cheapest method"
    )
    assert (
        "shown to be better than full fine-tuning, on 5 datasets (difference +0.010, 95 % interval +0.007 to" in found
    )
    assert "4,000 trainable parameters, 2,048 MiB at the peak and 9.5 s of training" in found


@pytest.mark.parametrize(
    ("gains", "how", "said"),
    [
        ({"ssf": 0.1}, {"deviation": 0.2}, "recommends no method: none of 1 candidate is shown"),
        ({"ssf": -0.1}, {}, "recommends no method"),
        ({"ssf": 0.001}, {}, "shown to be equivalent to full fine-tuning"),
        ({"ssf": -0.001, "bias": -0.1}, {}, "use SSF"),
    ],
)
def test_nothing_is_recommended_that_is_not_shown(gains, how, said):
    assert said in findings(with_gains(gains, **how))["overview"]["verdict"]


def test_a_case_says_what_is_decided_and_nothing_else():
    (answer,) = findings(evidence())["answers"]
    assert answer == (
        f"{TITLED}, 500 training images. Better than full fine-tuning: SSF; worse: Linear probing; not inferior: Bias."
    )
    (answer,) = findings(with_gains({"ssf": 0.1, "bias": -0.1}, deviation=0.2))["answers"]
    assert answer.startswith(
        "BUSI breast ultrasound, resnet50, 500 training images. Nothing is decided of Bias, SSF (SSF would take "
    )
    assert "better" not in answer.lower()


@pytest.mark.parametrize(("metric", "first"), [("auroc", "SSF"), ("brier", "Linear probing")])
def test_another_primary_metric_is_named_and_has_its_direction(metric, first):
    found = evidence()
    settings = found.settings | {"primary_metric": metric}
    other = replace(
        found,
        settings=settings,
        scores=found.scores.assign(metric=metric, low=np.nan, high=np.nan),
        differences=found.differences.assign(metric=metric),
    )
    said = findings(other)
    assert said["overview"]["score"].startswith(f"The score is {METRICS[metric].label}")
    assert ("less is better" in said["overview"]["score"]) == (metric == "brier")
    kinds = set(found.claims.set_index("statement").loc[[row["statement"] for row in said["claims"]], "kind"])
    assert kinds == {"learning_rate"}  # none on F1
    (performance,) = (row["answer"] for row in said["checklists"]["rows"] if row["topic"] == "Performance")
    assert f"{METRICS[metric].label} at best" in performance
    assert f"({first})" in performance
    captions = {one["name"]: one["caption"] for one in placed(said | {"generation": None}, {"table2", "figure3"})}
    assert all(caption.startswith(METRICS[metric].heading) for caption in captions.values())


def test_what_is_not_known_is_listed():
    few = findings(evidence(seeds=1))["overview"]["unknown"]
    assert any("have a single seed, which does not show how trainings differ" in sentence for sentence in few)
    split, undecided, one, searched = findings(with_gains({"ssf": 0.1}, deviation=0.2))["overview"]["unknown"]
    assert undecided.startswith("Of 1 comparison with full fine-tuning with all training images, 1 is undecided; the")
    assert one == "All comparisons are on one dataset, BUSI breast ultrasound: another may answer otherwise."
    assert "searched once" in searched
    assert "share one split" in split


def test_linear_probing_alone_is_not_peft():
    found = findings(evidence(methods=("full", "linear_probe")))
    assert "no PEFT method" in found["overview"]["verdict"]


def test_low_data_has_a_sentence_a_network_and_only_crossovers_that_are_shown():
    (few,) = findings(evidence())["low_data"]
    assert few.startswith(
        f"{TITLED}. At 10 %: better than full fine-tuning: SSF; worse: Linear probing; not inferior: Bias."
    )
    assert few.endswith("Better at every size: SSF. No crossover is shown.")
    shown = pd.DataFrame([("busi", "resnet50", "bias", 0.5, 0.7, 0.25, 1.0)], columns=CROSSOVER_COLUMNS)
    (few,) = findings(replace(evidence(), crossovers=shown))["low_data"]
    assert few.endswith(
        "Full fine-tuning overtakes Bias between 25 % and 100 % (the means cross at 50 %) of the training images."
    )
    assert findings(evidence(fractions=(1.0,)))["low_data"] == []


def test_a_lead_that_is_not_shown_is_not_called_better_at_every_size():
    leads = {("busi", "resnet50", fraction): {"ssf": 0.1} for fraction in (0.1, 1.0)}
    (few,) = findings(replace(evidence(), differences=comparisons(leads, deviation=0.2)))["low_data"]
    assert few == (
        f"{TITLED}. With fewer images (10 %) no method is shown to differ from full fine-tuning, or to equal it. "
        "No crossover is shown."
    )


def test_tests_over_datasets_are_told_where_there_is_one():
    (tested,) = findings(evidence())["tests"]
    assert "The mean ranks of 4 methods over 5 datasets, 1 more left out as incomplete, differ: Friedman's" in tested
    assert "Friedman's test p = .030 by permutation, p = .040 by chi-square" in tested


def test_published_claims_stand_beside_ours():
    found = findings(evidence())
    gain = claim(found, "SSF over full fine-tuning")
    assert gain["published"] == "+0.22"
    assert gain["ours"].startswith("+0.100 [+0.087, +0.113] better (BUSI breast ultrasound, resnet50)")
    assert claim(found, "SSF is the best")["ours"] == (
        "place 1 of 3 by the mean difference from full fine-tuning, better (BUSI breast ultrasound, resnet50)"
    )
    assert claim(found, "Learning rate")["ours"].startswith(f"{TIMES} 10 in the median")


def test_claims_on_methods_that_the_study_lacks_are_left_out():
    """The study has no transformer and no text-to-image run, so that LoRA, BitFit and FID are not its matter."""
    said = [row["statement"] for row in findings(evidence())["claims"]]
    assert said
    assert not any("LoRA" in statement or "BitFit" in statement or "FID" in statement for statement in said)
    assert findings(evidence(methods=("full",)))["claims"] == []


def test_the_audit_is_told_in_numbers():
    (dataset,) = findings(evidence())["datasets"]
    assert dataset["audit"].startswith("780 images, 31 pairs of duplicates; patients are not known. The split keeps")
    assert "under a split of single images in the published sizes 17 of 119." in dataset["audit"]
    assert dataset["title"] == "BUSI breast ultrasound"
    assert dataset["classes"][0] == {"label": "benign", "train": 300, "validation": 0, "test": 0}


def test_the_paper_says_what_cropping_costs(tmp_path):
    found = evidence()
    rows = [("", measure, "all", "", value) for measure, value in (("not_square", 9), ("area", 400), ("cut_area", 100))]
    name, table = next(iter(found.audits.items()))
    found.audits[name] = pd.concat([table, pd.DataFrame(rows, columns=table.columns)])
    (dataset,) = findings(found)["datasets"]
    assert (
        "9 images are not square and cropped to the centre square, which cuts off 25.0 % of the area"
        in dataset["pixels"]
    )


@pytest.mark.parametrize(("seeds", "sentence"), [(1, "single seed"), (3, "few seeds")])
def test_limitations_depend_on_the_seeds(seeds, sentence):
    assert any(sentence in limitation for limitation in findings(evidence(seeds=seeds))["limitations"])


def _searched(**columns) -> list[str]:
    """Return the limitations of a study whose table of learning rates has these values, one a method."""
    found = evidence()
    return findings(replace(found, learning_rates=found.learning_rates.assign(**columns)))["limitations"]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"blind": [True, False, True, False]},
            "2 of 4 learning-rate searches were blind: validation preferred no rate by more than chance, and their "
            "runs say little about the method. These are BUSI breast ultrasound, resnet50 (Full fine-tuning, SSF).",
        ),
        (
            {"indistinguishable": [1, 3, 1, 1]},
            "In 1 of 4 learning-rate searches, on 77 validation images, other rates were within one standard error of "
            "the best: which of them was chosen is partly chance.",
        ),
        (
            {"at_edge": [True, False, False, False]},
            "In 1 of 4 learning-rate searches the best rate was the lowest or the highest one tried, so a wider search "
            "might do better.",
        ),
    ],
)
def test_what_the_searches_could_not_tell_is_a_limitation(columns, sentence):
    assert sentence in _searched(**columns)
    assert sentence not in _searched()


def test_the_terminal_tells_of_edges_where_they_are_many():
    rates = evidence().learning_rates
    assert edge_sentences(rates.assign(at_edge=[True, False, False, False])) == []
    assert len(edge_sentences(rates.assign(at_edge=[True, True, False, False]))) == 1


def _settings(tuning=None, split=None) -> dict:
    return Study({"study": "toy", "tuning": tuning or {}, "split": split or {}, "experiments": {"x": GRID}}).settings


def test_the_paper_says_which_runs_share_a_learning_rate():
    shared = searching(_settings({"epochs": 3, "fraction": 0.5}), 22, ["10 %", "100 %"])
    assert shared == (
        "A trial trains for 3 epochs on 50 % of the training images and is stopped where it falls below the median of "
        "the others. The rate is chosen on validation alone, once per dataset, backbone and method (22 searches), and "
        "shared by all fractions (10 %, 100 %) and seeds; validation is never cut, so that small fractions are trained "
        "with choices made on more images than they have."
    )
    own = searching(_settings({"per_fraction": True, "per_seed": True}, {"per_seed": True}), 1, ["10 %"])
    assert "on 100 % of the training images of the fraction, for the steps of its runs, and is stopped" in own
    assert "once per dataset, backbone, method, fraction and seed (1 search); validation is never cut. Each seed" in own
    some = searching(_settings({"per_seed": True}), 2, ["10 %"])
    assert "backbone, method and seed (2 searches), and shared by all fractions (10 %); validation" in some


def test_simulated_images_leave_medical_ones_unknown():
    phantom = {"busi": registry.load("breast_phantom")}
    simulated = findings(replace(evidence(), datasets=phantom))["overview"]["unknown"]
    assert simulated[0] == "The images of Simulated breast ultrasound are simulated: they say nothing of medicine."
    assert not any("simulated" in sentence for sentence in findings(evidence())["overview"]["unknown"])


def test_a_single_split_is_not_known_to_stand_for_others():
    told = evidence()
    assert any("share one split" in sentence for sentence in findings(told)["overview"]["unknown"])
    splits = replace(told, settings=SETTINGS | {"split": SETTINGS["split"] | {"per_seed": True}})
    assert not any("share one split" in sentence for sentence in findings(splits)["overview"]["unknown"])


def test_losses_that_the_study_accepts_are_a_limitation_and_others_are_none():
    told = evidence()
    counts = {"unreadable": 3, "unlisted": 9}
    rows = [("", "left_out", reason, "", count) for reason, count in counts.items()]
    lost = pd.DataFrame(rows, columns=AUDIT_COLUMNS)
    of_losses = replace(told, audits={"busi": pd.concat([told.audits["busi"], lost])})
    sentence = "Of BUSI breast ultrasound, not all could be used or understood: unreadable files: 3."
    assert sentence in findings(of_losses)["limitations"]
    assert not any("understood" in limitation for limitation in findings(told)["limitations"])


GENERATED = {"n_train": 100, "n_test": 60, "feature_extractor": "efficientnet_lite0", "features": 1280}
GENERATED |= {"device": "cpu"}
GENERATED |= {"floor_fid": 9.0, "floor_fid_low": 8.0, "floor_fid_high": 10.0, "floor_draws": 10, "floor_pool": 100}
GENERATED |= {"floor_kid": 0.01, "floor_kid_low": 0.0, "floor_kid_high": 0.02}
GENERATED |= {"task": "text-to-image", "experiment": "table4"}


def with_pipelines(found: Evidence, fids: dict, seeds=2, alone=False) -> Evidence:
    """Return `found` with runs of a pipeline whose FIDs are these and, with another seed, one more; or these alone."""
    rows = [
        {"dataset": "busi", "backbone": "tiny", "method": method, "fraction": 1.0, "seed": seed, **GENERATED}
        | dict.fromkeys(("fid", "kid", "precision", "recall"), np.nan if fid is None else fid + seed)
        | {"status": "failed: out of memory" if fid is None else "ok"}
        for method, fid in fids.items()
        for seed in range(seeds)
    ]
    runs = pd.concat([found.runs.iloc[: 0 if alone else None], pd.DataFrame(rows)], ignore_index=True)
    if not alone:
        return replace(found, runs=runs)
    tables = ("scores", "differences", "crossovers", "friedman", "recommendations", "learning_rates")
    return replace(found, runs=runs, **{name: getattr(found, name).iloc[:0] for name in tables})


FIDS = {"untuned": 40.0, "full": 50.0, "lora": 20.0, "bias": None}


def test_the_generator_with_the_lowest_fid_is_named_beside_the_floor():
    found = findings(with_pipelines(evidence(), FIDS))
    (answer,) = found["generation"]["answers"]
    assert answer.startswith(
        "BUSI breast ultrasound, tiny, 100 % (100 training pairs). The lowest FID has LoRA: 20.50 ± 0.71, with a KID"
    )
    assert "as many real training images of other patients have an FID of 9.00 [8.00, 10.00]" in answer
    assert "60 images are fewer than the 1,280 features" in found["generation"]["warnings"][0]
    assert found["generation"]["failed"][0] == "Bias, BUSI breast ultrasound, tiny, 100 %, seed 0: out of memory"
    assert found["overview"]["runs"] == 24
    assert claim(found, "FID of LoRA, the worst") == {
        "statement": "FID of LoRA, the worst of eight: Stable Diffusion, all pairs of MIMIC-CXR (table 4)",
        "published": "439.65",
        "ours": "20.50, place 1 of 2 by the mean (BUSI breast ultrasound, tiny)",
    }


def differences(seeds=2, **methods) -> pd.DataFrame:
    """Return differences from the untuned pipeline, given as `method=((FID, adjusted p), (KID, adjusted p))`."""
    rows = [
        {"method": method, "metric": metric, "difference": difference, "p_adjusted": p}
        for method, both in methods.items()
        for metric, (difference, p) in zip(("fid", "kid"), both, strict=True)
    ]
    return pd.DataFrame(rows).assign(dataset="busi", backbone="tiny", fraction=1.0, reference="untuned", seeds=seeds)


@pytest.mark.parametrize(
    ("lora", "told"),
    [
        (((-20.0, 0.01), (-0.2, 0.01)), "better: LoRA; worse: none; cannot be told: Full fine-tuning."),
        (((20.0, 0.01), (0.2, 0.01)), "better: none; worse: LoRA; cannot be told: Full fine-tuning."),
        (((-20.0, 0.01), (0.2, 0.01)), "better: none; worse: none; cannot be told: Full fine-tuning, LoRA."),
        (((-20.0, 0.7), (-0.2, 0.01)), "better: none; worse: none; cannot be told: Full fine-tuning, LoRA."),
        (((-20.0, 0.01), (-0.2, 0.7)), "better: none; worse: none; cannot be told: Full fine-tuning, LoRA."),
    ],
    ids=["both better", "both worse", "FID better and KID worse", "FID may be chance", "KID may be chance"],
)
def test_a_generator_is_called_better_only_where_fid_and_kid_both_say_so(lora, told):
    table = differences(lora=lora, full=((-1.0, 0.7), (-0.1, 0.7)))
    found = replace(with_pipelines(evidence(), FIDS), generation_comparisons=table)
    (answer,) = findings(found)["generation"]["answers"]
    assert f"Against the pipeline untuned (FID 40.50 ± 0.71), by FID and KID both, {told}" in answer


def test_of_one_seed_no_generator_is_called_better():
    unknown = (-20.0, np.nan), (-0.2, np.nan)
    table = differences(seeds=1, lora=unknown, full=unknown)
    found = replace(with_pipelines(evidence(), FIDS, seeds=1), generation_comparisons=table)
    content = findings(found)
    (answer,) = content["generation"]["answers"]
    assert "better" not in answer
    cannot = "With one seed, whether a method differs from the pipeline untuned (FID 40.00) cannot be told"
    assert f"{cannot}; its interval covers the images alone, for these trained networks." in answer
    assert any("no difference between methods is tested" in limitation for limitation in content["limitations"])


def test_without_the_pipeline_as_it_is_nothing_is_said_to_beat_it():
    (answer,) = findings(with_pipelines(evidence(), {"lora": 20.0}, seeds=1))["generation"]["answers"]
    assert "LoRA: 20.00, with a KID" in answer
    assert "How the pipeline untuned scores is not known. How full fine-tuning scores is not known." in answer
    (answer,) = findings(with_pipelines(evidence(), {"lora": None}))["generation"]["answers"]
    assert answer.endswith("No method has a score here.")
    assert findings(evidence())["generation"] is None


def test_the_tables_of_a_study_without_classification_are_empty_and_can_be_read(tmp_path):
    """As each stage writes them for the next one."""
    found = with_pipelines(evidence(), FIDS, alone=True)

    def handed_on(table):
        write_table(tmp_path / "table.csv", table)
        return read_table(tmp_path / "table.csv")

    runs = handed_on(found.runs)
    learning_rates = handed_on(artefacts.maker("table", "learning_rates")(Sources())[0])
    content = findings(with_results(found, runs, judged(runs, None, handed_on), learning_rates))
    assert content == findings(found)
    assert (content["answers"], content["overview"]["searches"]) == ([], 0)


STUDIES = {
    "whole": {},
    "without full fine-tuning": {"methods": ("ssf", "bias")},
    "one method": {"methods": ("full",)},
    "full data, one seed": {"fractions": (1.0,), "seeds": 1},
    "failed runs": {"failed": ("bias",)},
    "pipelines too": {"fids": FIDS},
    "pipelines alone": {"fids": FIDS, "alone": True},
}


def make(folder, name, fids=None, alone=False, **changes):
    folder.mkdir()
    found = evidence(**changes)
    content = findings(with_pipelines(found, fids, alone=alone) if fids else found)
    (folder / "findings.json").write_text(json.dumps(content), encoding="utf-8")
    typeset(PAPER / "paper.typ", PAPER / "references.yml", folder / "findings.json", [], folder / f"{name}.pdf")
    return (folder / f"{name}.pdf").read_bytes()


@pytest.mark.parametrize("name", STUDIES)
def test_any_study_has_a_paper(tmp_path, name):
    assert make(tmp_path / "study", "paper", **STUDIES[name]).startswith(b"%PDF")


def test_equal_results_give_equal_papers(tmp_path):
    assert make(tmp_path / "one", "paper") == make(tmp_path / "two", "paper")


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs pdftotext")
def test_the_paper_prints_the_findings(tmp_path):
    import subprocess

    make(tmp_path / "study", "paper")
    text = subprocess.run(["pdftotext", tmp_path / "study/paper.pdf", "-"], capture_output=True, text=True, check=True)
    assert "+0.100" in text.stdout
    assert "17 of 119" in " ".join(text.stdout.split())


def test_a_damaged_source_is_a_sentence(tmp_path):
    source = tmp_path / "paper.typ"
    source.write_text("#unheard-of", encoding="utf-8")
    make(tmp_path / "study", "paper")
    with pytest.raises(UserError, match=r"cannot typeset .*paper\.typ"):
        typeset(source, PAPER / "references.yml", tmp_path / "study/findings.json", [], tmp_path / "paper.pdf")


def test_the_sentence_on_seeds_names_the_networks_that_have_few():
    told = evidence(seeds=3)
    single = told.runs[told.runs["seed"] == 0].assign(backbone="resnet18", experiment="table5")
    said = findings(replace(told, runs=pd.concat([told.runs, single])))["limitations"]
    assert any(sentence.startswith("resnet18: with a single seed") for sentence in said)
    assert any(sentence.startswith("resnet50: few seeds") for sentence in said)
    assert not any("table5" in sentence for sentence in said)
