"""The paper: sentences that are true of any study, and a PDF that says them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpeft.artefacts import registry as artefacts
from medpeft.artefacts.findings import findings
from medpeft.artefacts.markup import MINUS, TIMES
from medpeft.artefacts.sentences.evidence import Evidence
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.typeset import typeset
from medpeft.base.errors import UserError
from medpeft.base.files import read_table, write_table
from medpeft.data import registry
from medpeft.data.audit import AUDIT_COLUMNS
from medpeft.pipeline.study import Study
from medpeft.statistics.collect import RUN_COLUMNS
from medpeft.statistics.compare import compare
from medpeft.statistics.rank import rank
from medpeft.statistics.recommend import recommend

PAPER = Path(__file__).parents[2] / "paper"
GRID = {"datasets": ["busi"], "backbones": ["resnet50"], "methods": ["full"], "fractions": [1], "seeds": [0]}
SETTINGS = Study({"study": "toy", "experiments": {"table2": GRID}}).settings
CELL = ["dataset", "backbone", "method", "fraction"]
GROUP = {"encoder": "cnn", "fraction": 1.0}
CROSSOVERS = [
    ("busi", "resnet50", "bias", 0.5, 0.7, 0.3, 0.9, 0.75),
    ("busi", "resnet50", "ssf", np.nan, np.nan, np.nan, np.nan, 0.1),
]
TEST = GROUP | {"methods": 4, "blocks": 5, "left_out": 1, "p_value": 0.04, "permutation_p_value": 0.03}
TEST |= {"critical_difference": 2.1, "status": "ok"}
COST = {"trainable_parameters": 4000, "peak_memory_bytes": 2**31, "train_seconds": 9.5, "adapter_bytes": 2**20}
CHOICE = GROUP | {"blocks": 5, "mean_rank": 1.2, "f1_micro": 0.9, "not_worse": 1, "candidates": 3} | COST
GAIN = {"difference": -0.02, "low": -0.05, "high": 0.01, "p_adjusted": 0.4}
RECOMMENDED = [
    CHOICE | {"role": "best", "method": "ssf"} | dict.fromkeys(GAIN, np.nan),
    CHOICE | {"role": "cheapest", "method": "bias"} | GAIN,
]
GAINS = {"linear_probe": -0.2, "ssf": 0.1, "bias": 0.01}


def judged(runs, read, handed_on) -> dict[str, pd.DataFrame]:
    """Return what the stages make of `runs`, by its name, each table as the next stage finds it: `handed_on`."""
    results = {name: handed_on(table) for name, table in compare(runs, read)._asdict().items()}
    ranks, friedman = map(handed_on, rank(results["scores"]))
    recommendations = handed_on(recommend(ranks, results["contrasts"], runs))
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
    compared = cells[cells["method"] != "full"] if "full" in methods else cells.iloc[:0]
    gain = np.array([GAINS[method] for method in compared["method"]], float)
    differences = compared.assign(metric="f1_micro", difference=gain, low=gain - 0.02, high=gain + 0.02)
    differences["p_adjusted"] = np.where(np.abs(gain) > 0.05, 0.004, 0.6)
    differences = differences.assign(seeds_won=seeds, seeds_compared=seeds)
    runs = cells.merge(pd.DataFrame({"seed": range(seeds)}), how="cross")
    runs = runs.assign(task="classification", experiment="table2", status="ok", device="cpu").reindex(
        columns=RUN_COLUMNS
    )
    runs.loc[runs["method"].isin(failed), "status"] = "failed: the loss is not a number"
    rates = pd.DataFrame([("busi", "resnet50", method) for method in methods], columns=CELL[:3])
    rates = rates.assign(times_full=10.0 if "full" in methods else np.nan, at_edge=False)
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
        crossovers=pd.DataFrame(CROSSOVERS, columns=[*CELL, "f1_micro", "low", "high", "share"]),
        friedman=pd.DataFrame([TEST, TEST | {"fraction": 0.1, "status": "too few blocks for a test: 1", "blocks": 1}]),
        recommendations=pd.DataFrame(RECOMMENDED if "ssf" in methods else RECOMMENDED[:0], columns=RECOMMENDED[0]),
        learning_rates=rates,
        datasets={"busi": registry.load("busi")},
        protocols={"busi": "grouped"},
        audits={"busi": audit},
        claims=pd.read_csv(PAPER / "reference" / "claims.csv"),
    )


def claim(found, statement):
    return next(row for row in found["claims"] if row["statement"].startswith(statement))


def test_the_answer_names_the_best_method_and_how_sure_that_is():
    found = findings(evidence())
    assert "significantly better than full fine-tuning in 1 of 1 case" in found["overview"]["verdict"]
    (answer,) = found["answers"]
    assert "SSF, reaches a micro-F1 of 0.800 against 0.700 of full fine-tuning: a difference of +0.100" in answer
    assert "95 % interval +0.080 to +0.120, adjusted p 0.004" in answer
    assert "better than full fine-tuning: SSF; significantly worse: Linear probing; undecided: Bias." in answer


def test_linear_probing_alone_is_not_peft():
    found = findings(evidence(methods=("full", "linear_probe")))
    assert "no PEFT method" in found["overview"]["verdict"]


def test_low_data_has_its_own_sentences_and_crossovers():
    few, crossing = findings(evidence())["low_data"]
    assert few.startswith("BUSI breast ultrasound, resnet50, 10 % (50 training images). ")
    assert "overtakes Bias at 50 % [30 %, 90 %; in 75 % of resamples] of the training images" in crossing
    assert "ahead of it at every fraction: Bias, SSF" in crossing
    assert findings(evidence(fractions=(1.0,)))["low_data"] == []


def test_a_recommendation_names_the_best_and_the_cheapest():
    (sentence,) = findings(evidence())["recommendations"]
    assert sentence.startswith("Convolutional networks, 100 %. The best mean rank over 5 blocks has SSF (1.20;")
    assert f"Bias, {MINUS}0.020 from it (95 % interval {MINUS}0.050 to +0.010, adjusted p 0.400), is the" in sentence
    assert "cheapest of the 2 methods that the data do not show to be worse: " in sentence
    assert "4,000 trainable parameters, 2,048 MiB at the peak, 9.5 s of training, a file of 1.00 MiB" in sentence


@pytest.mark.parametrize(
    ("others", "words"), [(0, "all others to be worse"), (2, "also the cheapest of the 3 methods")]
)
def test_the_best_may_be_the_cheapest(others, words):
    one = pd.DataFrame([RECOMMENDED[0] | {"role": "best and cheapest", "not_worse": others}])
    (sentence,) = findings(replace(evidence(), recommendations=one))["recommendations"]
    assert words in sentence
    assert "4,000 trainable parameters" in sentence


def test_tests_over_blocks_are_told_where_there_is_one():
    (tested,) = findings(evidence())["tests"]
    assert "The mean ranks of 4 methods over 5 blocks, 1 more left out as incomplete, differ: Friedman's" in tested
    assert "Friedman's test p = .030 by permutation, p = .040 by chi-square" in tested


def test_published_claims_stand_beside_ours():
    found = findings(evidence())
    gain = claim(found, "SSF over full fine-tuning")
    assert gain["published"] == "+0.22"
    assert gain["ours"].startswith("+0.100 [+0.080, +0.120] (BUSI breast ultrasound, resnet50)")
    assert claim(found, "SSF is the best")["ours"] == "SSF (BUSI breast ultrasound, resnet50)"
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


def test_three_seeds_are_a_limitation_and_one_leaves_the_spread_unknown():
    one, three = findings(evidence(seeds=1)), findings(evidence(seeds=3))
    assert any("With 3 seeds" in sentence for sentence in three["limitations"])
    assert not any("seed" in sentence for sentence in one["limitations"])
    assert any("single seed" in sentence for sentence in one["overview"]["unknown"])
    assert not any("seed" in sentence for sentence in three["overview"]["unknown"])


def test_what_is_not_known_follows_the_results():
    """By hand: of SSF and bias tuning on all images, bias tuning alone is undecided."""
    told = evidence()
    unknown = findings(told)["overview"]["unknown"]
    assert unknown[0].startswith("Which is better in 1 of 2 comparisons of a PEFT method with full fine-tuning on all")
    assert unknown[1:] == [
        "Whether this holds beyond 1 dataset and 1 backbone.",
        "How much scores vary from split to split: all runs share one.",
    ]
    decided = replace(told, differences=told.differences.assign(p_adjusted=0.001))
    assert not any("Which is better" in sentence for sentence in findings(decided)["overview"]["unknown"])
    splits = replace(told, settings=SETTINGS | {"split": SETTINGS["split"] | {"per_seed": True}})
    assert not any("split to split" in sentence for sentence in findings(splits)["overview"]["unknown"])
    many = pd.concat([told.runs.assign(backbone=f"resnet{number}") for number in range(6)])
    assert not any("beyond" in sentence for sentence in findings(replace(told, runs=many))["overview"]["unknown"])


def test_simulated_images_leave_real_ones_unknown():
    phantom = {"busi": registry.load("breast_phantom")}
    simulated = findings(replace(evidence(), datasets=phantom))["overview"]["unknown"]
    assert simulated[0] == "What medical images would show: those of Simulated breast ultrasound are simulated."
    assert not any("simulated" in sentence for sentence in findings(evidence())["overview"]["unknown"])


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
GENERATED |= {"floor_fid": 9.0, "floor_kid": 0.01, "floor_images": 30, "task": "text-to-image", "experiment": "table4"}


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


def test_the_best_generator_is_named_and_those_that_beat_the_pipeline_as_it_is():
    found = findings(with_pipelines(evidence(), FIDS))
    (answer,) = found["generation"]["answers"]
    assert answer.startswith(
        "BUSI breast ultrasound, tiny, 100 % (100 training pairs). The best FID has LoRA: 20.50 ± 0.71, with a KID"
    )
    assert "halves of the real images have 9.00" in answer
    assert answer.endswith("Better than the pipeline untuned (40.50 ± 0.71): LoRA; not better: Full fine-tuning.")
    assert "60 images are fewer than the 1,280 features" in found["generation"]["warnings"][0]
    assert found["generation"]["failed"][0] == "Bias, BUSI breast ultrasound, tiny, 100 %, seed 0: out of memory"
    assert found["overview"]["runs"] == 24
    assert claim(found, "FID of LoRA, the worst") == {
        "statement": "FID of LoRA, the worst of eight: Stable Diffusion, all pairs of MIMIC-CXR (table 4)",
        "published": "439.65",
        "ours": "20.50, place 1 of 2 (BUSI breast ultrasound, tiny)",
    }


def test_without_the_pipeline_as_it_is_nothing_is_said_to_beat_it():
    (answer,) = findings(with_pipelines(evidence(), {"lora": 20.0}, seeds=1))["generation"]["answers"]
    assert "LoRA: 20.00, with a KID" in answer
    assert answer.endswith("How the pipeline scores untuned is not known.")
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
