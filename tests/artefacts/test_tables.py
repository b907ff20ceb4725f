"""The tables: the right numbers in the right places, gaps for what failed, and three markups that agree."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from toy_comparisons import MARGIN, comparisons, overall_rows, rank_tests, ranks, recommended

from medpeft.artefacts import registry as artefacts
from medpeft.artefacts.markup import (
    GAP,
    MINUS,
    RENDERERS,
    Cell,
    Layout,
    latex,
    markdown,
    mebibytes,
    number,
    p_text,
    p_value,
    typst,
)
from medpeft.artefacts.palette import STYLES, in_order, style
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.tables import table2, table3, table5
from medpeft.artefacts.words import share
from medpeft.base.errors import UserError
from medpeft.base.runs import CELL, Run, Search
from medpeft.generation.copies import MEMORISATION_FACTS
from medpeft.generation.downstream_classifier import DOWNSTREAM_COLUMNS
from medpeft.methods import registry
from medpeft.statistics.columns import FLOOR_COLUMNS, SCORE_COLUMNS
from medpeft.statistics.inference import Estimate

REFERENCE = Path(__file__).parents[2] / "paper" / "reference"
PUBLISHED = {
    name: pd.read_csv(REFERENCE / f"{name}.csv")
    for name in ("table2", "table3", "table4", "table5", "table6", "figure1")
}
# Tables that these sources have no rows for, or that have tests of their own.
ELSEWHERE = ("table3", "table4", "table5", "low_data", "subgroups", "external")
RANKINGS = {"table2": table2.rank, "table3": table3.rank, "table5": table5.rank}
COST = {"trainable_parameters": 60, "head_parameters": 6, "total_parameters": 100, "adapter_bytes": 240}
ENTRY = {"family": "additive", "encoders": ["cnn", "vit"], "source": "arXiv 2210.08823", "trains": "scales and shifts"}
MEANS = {"full": 0.80, "ssf": 0.90, "bias": np.nan}


def make(name, sources):
    """Return the numbers and the layout of one table."""
    return artefacts.maker("table", name)(sources)


def score_rows(dataset, backbone, method, fraction):
    mean = MEANS[method]
    failed = 3 if np.isnan(mean) else 0
    for metric in ("f1_micro", "f1_macro", "auroc", "ece", "brier"):
        bounds = (mean - 0.05, mean + 0.05) if metric.startswith("f1") else (np.nan, np.nan)
        yield (dataset, backbone, method, fraction, metric, "additive", 100, 3, failed, mean, 0.01 + mean * 0, *bounds)


def downstream_scores(method, seed):
    """Return what classifiers scored that were trained on images of one run; those of the method bias failed."""
    generated, both = (300, 0.5 + 0.1 * seed, 0.4, MEANS[method]), (884, MEANS[method], 0.6, 0.8)
    if method == "bias":
        generated = both = (0, np.nan, np.nan, np.nan)
    rows = [("real", 584, 0.7, 0.6, 0.8), ("generated", *generated), ("both", *both)]
    table = pd.DataFrame(rows, columns=["trained_on", "n_train", "f1_micro", "f1_macro", "auroc"])
    return table.assign(brier=table["auroc"]).reindex(columns=DOWNSTREAM_COLUMNS)


@pytest.fixture
def sources():
    cells = [("busi", backbone, method, 1.0) for backbone in ("resnet50", "resnet18") for method in MEANS]
    columns = [*CELL, "metric", "family", "n_train", "n_runs", "n_failed", "mean", "std", "low", "high"]
    scores = pd.DataFrame([row for cell in cells for row in score_rows(*cell)], columns=columns)
    runs = pd.DataFrame(cells, columns=["dataset", "backbone", "method", "fraction"])
    runs = runs.assign(
        task="classification", experiment="table2", seed=0, device="cpu", train_seconds=2.0, images_per_second=50.0
    )
    runs = runs.assign(peak_memory_bytes=2**30, **COST)
    keys = [Search(*cell[:3]) for cell in cells]
    compared = overall_rows({"ssf": 0.1, "bias": -0.001})
    trials = pd.DataFrame({"learning_rate": [1e-4, 1e-3, 1e-2], "state": ["complete", "complete", "fail"]})
    trials["validation_score"] = [0.7, 0.8, np.nan]
    told = {"validation_images": 100, "floor": 0.6, "blind": False}
    rates = {"full": 1e-4, "ssf": 1e-3, "bias": None}
    return Sources(
        runs=runs,
        generation_comparisons=DIFFERENCES,
        scores=scores,
        other_scores=scores,
        splits=["grouped", "paper"],
        rate_scores=scores.assign(mean=scores["mean"] - 0.02, low=scores["low"] - 0.02, high=scores["high"] - 0.02),
        rates_per_fraction=[True, False],
        memorisations={
            Run("busi", "tiny", method, "1", str(seed)): dict.fromkeys(MEMORISATION_FACTS)
            if method == "bias"
            else {"memorised": 0.02 * seed, "by_chance": 0.01, "threshold": 0.5}
            | {"generated": 50, "real": 100, "training": 584}
            for method in MEANS
            for seed in (0, 1)
        },
        downstreams={
            Run("busi", "tiny", method, "1", str(seed)): downstream_scores(method, seed)
            for method in MEANS
            for seed in (0, 1)
        },
        comparisons=comparisons({("busi", "resnet50", 1.0): {"ssf": 0.1, "bias": 0.001}}),
        overall=compared,
        ranks=ranks({"ssf": 1.0, "full": 2.0}),
        friedman=rank_tests({"datasets": 2}),
        recommendations=recommended(compared, {"full": 9_000_000, "ssf": 60_000, "bias": 4_000}),
        parameters=pd.DataFrame(
            [
                {"backbone": backbone, "method": method} | COST
                for backbone in ("resnet50", "resnet18")
                for method in MEANS
            ]
        ).drop(columns="adapter_bytes"),
        records={key: {"cost": COST, "method": {"title": style(key.method).label, **ENTRY}} for key in keys},
        searches={
            key: (
                trials,
                {"learning_rate": rates[key.method], "validation_score": rates[key.method] and 0.8} | told,
            )
            for key in keys
        },
        published=PUBLISHED,
    )


def test_table2_puts_the_published_value_beside_ours(sources):
    table = make("table2", sources)[0].set_index(["backbone", "method"])
    assert table.at[("resnet50", "ssf"), "published_f1"] == 0.94
    assert table.at[("resnet50", "ssf"), "difference"] == pytest.approx(-0.04)
    assert np.isnan(table.at[("resnet18", "ssf"), "published_f1"])  # another backbone has no published counterpart
    assert table.at[("resnet18", "ssf"), "published_resnet50"] == 0.94


def test_table2_marks_the_best_ranks_and_shows_a_gap_for_failed_runs(sources):
    _, layout = make("table2", sources)
    text = markdown(layout)
    assert f"| SSF | **0.900 ± 0.010**<br>[0.850, 0.950]<br>0.94 ({MINUS}0.040) | 1<br>1 |" in text
    assert "| Full fine-tuning | 0.800 ± 0.010<br>[0.750, 0.850]<br>0.72 (+0.080) | 2<br>3 |" in text
    assert f"| Bias | {GAP}<br>0.89 | {GAP}<br>2 |" in text
    assert "| SSF | **0.900 ± 0.010**<br>[0.850, 0.950]<br>ResNet-50: 0.94 | 1 |" in text
    assert "Bias on busi, resnet50: 3 of 3" in text


def test_published_averages_and_ranks_stand_below_ours(sources):
    both = [pd.concat([t, t.assign(dataset="ham10000")]) for t in (sources.scores, sources.runs)]
    _, layout = make("table2", replace(sources, scores=both[0], runs=both[1]))
    published = PUBLISHED["table2"].pivot(index="dataset", columns="method", values="f1").loc[["busi", "ham10000"]]
    mean = published["full"].mean()
    full = layout.groups["resnet50"][0]
    assert full[-2].below == f"{number(mean, 2)} ({number(0.8 - mean, sign=True)})"
    ranks = published[list(MEANS)].mean().rank(ascending=False)
    assert [row[-1].below for row in layout.groups["resnet50"]] == [f"{ranks[m]:.0f}" for m in ("full", "bias", "ssf")]
    assert {row[-1].below for row in layout.groups["resnet18"]} == {""}


def test_a_phantom_has_no_published_column(sources):
    sources.scores["dataset"] = sources.runs["dataset"] = "breast_phantom"
    table, layout = make("table2", sources)
    assert table["published_resnet50"].isna().all()
    assert not any("published" in note for note in layout.notes)


def test_a_single_seed_has_no_standard_deviation(sources):
    sources.scores["std"] = np.nan
    assert "**0.900**<br>[0.850, 0.950]" in markdown(make("table2", sources)[1])


def test_an_experiment_that_the_study_lacks_is_a_sentence(sources):
    with pytest.raises(UserError, match="no experiment 'figure1'"):
        make("low_data", sources)


def test_low_data_takes_the_cells_of_its_experiment(sources):
    sources.runs["experiment"] = "figure1"
    table, layout = make("low_data", sources)
    assert len(table) == 6
    assert layout.header == ["Method", "100 %"]


def test_low_data_puts_the_published_value_beside_ours(sources):
    swap = {"backbone": {"resnet50": "vit_base_patch16_224.augreg_in21k"}, "method": {"ssf": "lora"}}
    changed = [table.replace(swap) for table in (sources.scores, sources.runs)]
    for table in changed:
        table["dataset"] = "ham10000"
    given = replace(sources, scores=changed[0], runs=changed[1].assign(experiment="figure1"))
    table, layout = make("low_data", given)
    published = PUBLISHED["figure1"].set_index(CELL)["f1"]
    expected = published["ham10000", "vit_base_patch16_224.augreg_in21k", "lora", 1.0]
    row = table[table["backbone"].str.startswith("vit")].set_index("method").loc["lora"]
    assert (row["published_f1"], row["difference"]) == (expected, pytest.approx(0.9 - expected))
    assert f"<br>{number(expected, 2)} ({number(0.9 - expected, sign=True)})" in markdown(layout)
    assert any("read off figure 1" in note for note in layout.notes)


def test_comparisons_say_of_every_method_what_is_decided(sources):
    table, layout = make("comparisons", sources)
    assert table.set_index("method")["outcome"].to_dict() == {"ssf": "better", "bias": "equivalent"}
    (title,) = layout.groups
    assert title == "busi, resnet50, 100 %, 3 seeds"
    assert "| SSF | +0.100<br>[+0.096, +0.104] | < .001 | **better** | 0.7 points |" in markdown(layout)


def test_an_undecided_comparison_says_what_would_settle_it(sources):
    wide = comparisons({("busi", "resnet50", 1.0): {"ssf": 0.1}}, deviation=0.1)
    _, layout = make("comparisons", replace(sources, comparisons=wide))
    (line,) = layout.groups["busi, resnet50, 100 %, 3 seeds"]
    assert line[3] == Cell("undecided")
    assert line[5].text.endswith("seeds")
    seeds = int(line[5].text.split()[0].replace(",", ""))
    assert Estimate(0, 0.1**2 * 3 / seeds, 1e-8, seeds, 1000).detectable(0.05) <= MARGIN


def test_one_seed_gives_no_interval_and_no_p(sources):
    one = comparisons({("busi", "resnet50", 1.0): {"ssf": 0.1}}, seeds=1)
    _, layout = make("comparisons", replace(sources, comparisons=one))
    (line,) = layout.groups["busi, resnet50, 100 %, 1 seed"]
    assert [cell.text for cell in line] == ["SSF", "+0.100", GAP, "undecided", GAP, "2 seeds or more"]
    assert line[1].below == ""


def test_overall_names_the_datasets_that_decide(sources):
    sources.overall["depends_on"] = ["d_1 d2", ""]
    text = markdown(make("overall", sources)[1])
    assert "| d 1, d2 |" in text
    assert "*Convolutional networks, 100 %, 5 datasets*" in text


def test_table6_has_the_columns_of_the_contract(sources):
    table, layout = make("table6", sources)
    columns = ["backbone", "method", "trainable_parameters", "head_parameters", "total_parameters"]
    assert list(table.columns) == columns
    assert len(table) == 6
    assert f"| SSF | 60 | 6 | 100 | 60 % | {GAP} |" in markdown(layout)


def blinded(sources, *fields):
    """Return the `sources` with a blind search of these fields in the place of the one of its method."""
    search = Search(*fields)
    trials, choice = sources.searches[Search(*search[:3])]
    kept = {key: found for key, found in sources.searches.items() if key != Search(*search[:3])}
    return replace(sources, searches=kept | {search: (trials, choice | {"blind": True})})


def test_a_score_whose_rate_was_chosen_blindly_is_marked(sources):
    plain, marked = (make("table2", given) for given in (sources, blinded(sources, "busi", "resnet50", "ssf")))
    assert not any("§" in note for note in plain[1].notes)
    assert marked[1].groups["resnet50"][-1][1].text == "0.900 ± 0.010§"
    assert "§" not in marked[1].groups["resnet18"][-1][1].text
    assert marked[1].notes[-1].endswith("were equal: busi, resnet50 (SSF).")
    found = marked[0].set_index(["backbone", "method"])["blind"]
    assert list(found[found].index) == [("resnet50", "ssf")]


def test_a_blind_search_of_another_fraction_marks_nothing(sources):
    assert not make("table2", blinded(sources, "busi", "resnet50", "ssf", "0.1"))[0]["blind"].any()
    assert make("table2", blinded(sources, "busi", "resnet50", "ssf", "1", "2"))[0]["blind"].sum() == 1


def test_learning_rates_say_how_much_chose_them(sources):
    table, layout = make("learning_rates", blinded(sources, "busi", "resnet50", "ssf"))
    row = table.set_index(["backbone", "method"]).loc[("resnet50", "ssf")]
    assert (row["validation_images"], row["floor"], row["blind"]) == (100, 0.6, True)
    assert row["standard_error"] == pytest.approx(np.sqrt(0.8 * 0.2 / 100))
    assert row["indistinguishable"] == 1
    cells = {line[0].text: line for line in layout.groups["busi, resnet50: 100 validation images"]}
    assert cells["SSF"][3] == Cell("0.800§", "± 0.040")
    assert cells["Bias"][3] == Cell(GAP)
    assert layout.notes[-1].endswith("were equal: busi, resnet50 (SSF).")


def test_learning_rates_of_fractions_and_seeds_stand_beside_fulls_own(sources):
    trials, choice = next(iter(sources.searches.values()))
    rates = {("full", "0.1", "0"): 1e-4, ("full", "1", "0"): 1e-3, ("ssf", "0.1", "0"): 1e-3, ("ssf", "1", "0"): 1e-3}
    searches = {
        Search("busi", "resnet50", *of): (trials, choice | {"learning_rate": rate}) for of, rate in rates.items()
    }
    table, layout = make("learning_rates", replace(sources, searches=searches))
    ssf = table[table["method"] == "ssf"].set_index("fraction")["times_full"]
    assert ssf.to_dict() == pytest.approx({0.1: 10, 1: 1})
    assert list(layout.groups) == [f"busi, resnet50, {part} %: 100 validation images" for part in (10, 100)]
    assert layout.groups["busi, resnet50, 10 %: 100 validation images"][1][0].text == "SSF, seed 0"


def test_learning_rates_give_the_multiple_of_full_and_the_edge(sources):
    table = make("learning_rates", sources)[0].set_index(["backbone", "method"])
    assert table.at[("resnet50", "ssf"), "times_full"] == pytest.approx(10)
    assert not table.at[("resnet50", "ssf"), "at_edge"]
    assert table.at[("resnet50", "full"), "at_edge"]
    assert np.isnan(table.at[("resnet50", "bias"), "learning_rate"])
    assert table.at[("resnet50", "ssf"), "trials_failed"] == 1


def test_table3_ranks_over_all_backbones_and_compares_with_the_same_backbone_alone(sources):
    names = {"resnet50": "vit_large_patch16_224.augreg_in21k", "resnet18": "vit_tiny_patch16_224.augreg_in21k"}
    for table in (sources.scores, sources.runs):
        table["backbone"] = table["backbone"].map(names)
    sources.runs["experiment"] = "table3"
    table, layout = make("table3", sources)
    rows = table.set_index(["backbone", "method"])
    assert rows.at[(names["resnet50"], "ssf"), "published_f1"] == 0.92
    assert np.isnan(rows.at[(names["resnet18"], "ssf"), "published_f1"])
    assert "published_resnet50" not in table
    assert list(layout.groups) == [*names.values(), "Mean over backbones"]
    assert [row[-1].text for row in layout.groups["Mean over backbones"]] == ["2", GAP, "1"]
    assert f"0.92 ({MINUS}0.020)" in markdown(layout)
    assert any("table 3" in note for note in layout.notes)


def test_published_tables_are_ranked_as_each_was():
    """Averages of table 2 and ranks of tables 3 and 5 worked by scipy."""
    f1 = {
        name: PUBLISHED[name].pivot(index=["dataset", "backbone"], columns="method", values="f1") for name in RANKINGS
    }
    ranks = {name: ranking(f1[name]) for name, ranking in RANKINGS.items()}
    order = ["ssf", "tsa", "batchnorm", "full", "bias", "linear_probe"]
    assert ranks["table2"][order].to_list() == [1, 2, 3, 4, 5, 6]
    by_row = rankdata(-f1["table3"].round(6).to_numpy(), axis=1)
    assert len(by_row) == 15
    assert ranks["table3"].to_list() == pytest.approx(list(by_row.mean(axis=0)))
    mae = f1["table5"].xs("vit_base_patch16_224.mae", level="backbone", drop_level=False)
    means = mae.mean().round(6)
    assert means["attention"] == means["lora"]
    assert RANKINGS["table5"](mae).to_list() == list(rankdata(-means, method="min"))  # methods that tie share a rank
    assert RANKINGS["table5"](mae[mae.columns[::-1]])[mae.columns].to_list() == RANKINGS["table5"](mae).to_list()


def test_equal_averages_rank_as_each_table_does():
    f1 = pd.DataFrame({"full": [0.8, 0.6], "ssf": [0.6, 0.8], "bias": [0.5, 0.5], "tsa": [np.nan, 0.9]})
    ranks = {name: ranking(f1)[["full", "ssf", "bias"]].to_list() for name, ranking in RANKINGS.items()}
    assert ranks == {"table2": [1, 1, 2], "table3": [2, 2, 3.5], "table5": [1, 1, 3]}
    assert all(np.isnan(ranking(f1)["tsa"]) for ranking in RANKINGS.values())


def test_table1_says_what_the_records_say(sources):
    table, layout = make("table1", sources)
    assert list(table["method"]) == ["full", "bias", "ssf"]
    assert "| SSF | additive | CNN, ViT | arXiv 2210.08823 | scales and shifts |" in markdown(layout)
    assert r"\begin{tabular}{lllll}" in latex(layout)


def test_the_records_hold_what_the_methods_train():
    trains = {name: registry.load(name).entry()["trains"] for name in registry.names()}
    assert trains["full"] == "every parameter of the network"
    assert trains["ssf"].startswith("scale and shift")
    assert all(trains.values())
    assert not any(mark in text for text in trains.values() for mark in ("arXiv", "("))


def test_calibration_marks_the_best_of_each_measure(sources):
    low = sources.scores["metric"].isin(["ece", "brier"])
    sources.scores.loc[low, "mean"] = 1 - sources.scores.loc[low, "mean"]
    table, layout = make("calibration", sources)
    assert {"f1_micro", "ece_std", "brier", "auroc"} <= set(table)
    assert layout.header[:2] == ["Method", "Micro-F1"]
    text = markdown(layout)
    least, most = "**0.100 ± 0.010**", "**0.900 ± 0.010**"
    assert f"| SSF | {most} | {least} | {GAP} | {least} | {GAP} | {most} |" in text  # without temperature scaling
    assert f"| Bias | {' | '.join([GAP] * 6)} |" in text


def test_the_floor_stands_below_the_scores(sources):
    assert "Majority class" not in markdown(make("table2", sources)[1])
    for name, metric in (("table2", "f1_micro"), ("calibration", "brier"), ("discrimination", "auroc")):
        floors = pd.DataFrame([("busi", metric, 0.56, "benign")], columns=FLOOR_COLUMNS)
        _, layout = make(name, replace(sources, floors=floors))
        row = layout.groups["resnet50" if name == "table2" else "busi, resnet50"][-1]
        assert row[0].text == "Majority class"
        assert "0.560" in {cell.text for cell in row}
        assert any(note.startswith("Majority class:") for note in layout.notes)


def test_scores_by_class_show_full_fine_tuning_and_the_best_other_method(sources):
    rows = [
        ("busi", "resnet50", method, 1.0, label, metric, 2, mean, 0.01, mean - 0.1, mean + 0.1)
        for method, mean in {"full": 0.7, "ssf": 0.8, "lora": 0.9}.items()
        for label, metric in (("", "f1_micro"), ("benign", "auroc"), ("normal", "ppv"))
    ]
    table, layout = make("per_class", replace(sources, per_class=pd.DataFrame(rows, columns=SCORE_COLUMNS)))
    assert list(layout.groups) == ["busi, resnet50: Full fine-tuning", "busi, resnet50: LoRA"]
    assert set(table["method"]) == {"full", "ssf", "lora"}
    assert f"| benign | {GAP} | {GAP} | {GAP} | {GAP} | 0.900<br>[0.800, 1.000] | {GAP} |" in markdown(layout)


@pytest.mark.parametrize(("metric", "best", "rank"), [("auroc", "ssf", "1"), ("brier", "full", "2")])
@pytest.mark.parametrize("name", ["table2", "low_data", "calibration", "downstream"])
def test_another_primary_metric_stands_in_tables_without_published_f1(sources, name, metric, best, rank):
    floors = pd.DataFrame([("busi", metric, 0.123, "benign")], columns=FLOOR_COLUMNS)
    runs = sources.runs.assign(experiment="figure1" if name == "low_data" else "table2")
    table, layout = make(name, replace(sources, primary=metric, floors=floors, runs=runs))
    text = markdown(layout)
    group = next(iter(layout.groups.values()))
    column = 2 if name == "downstream" else 1  # trained on generated images
    lines = {line[0].text: line for line in group}
    assert metric in table
    for method in ("full", "ssf"):
        cell = lines[style(method).label][column]
        assert cell.bold == (method == best)
        if name != "downstream":
            assert cell.text == f"{number(MEANS[method])} ± 0.010"
            assert lines["Majority class"][1].text == "0.123"
    if name == "table2":
        assert lines["SSF"][-1].text == rank
    if name == "calibration":
        assert layout.header[1] == {"auroc": "AUROC", "brier": "Brier score"}[metric]
        assert len(layout.header) == len(set(layout.header))
    if name == "downstream":
        assert layout.notes[0].startswith({"auroc": "AUROC on", "brier": "Brier score on"}[metric])
    assert "published" not in text.lower()
    assert "published_f1" not in table or table["published_f1"].isna().all()


def test_ranks_carry_the_tests(sources):
    _, layout = make("ranks", sources)
    (title,) = layout.groups
    assert title.startswith("Convolutional networks, 100 %, 2 datasets. Friedman's test p = .030 by permutation")
    assert f"| Full fine-tuning | 2.00<br>[1.900, 2.100] | [2.000, 2.000] | 0.800 | {GAP} | {GAP} |" in markdown(layout)
    sources.friedman["critical_difference"] = np.nan
    assert "no two mean ranks can differ significantly" in next(iter(make("ranks", sources)[1].groups))
    sources.friedman["status"] = "too few datasets to rank over: 1"
    assert "Too few datasets to rank over: 1" in next(iter(make("ranks", sources)[1].groups))


def test_recommendations_name_the_cheapest_that_is_shown_or_none(sources):
    text = markdown(make("recommendations", sources)[1])
    assert "5 datasets | **Bias**<br>equivalent | 2 of 2 | " in text
    none = recommended(overall_rows({"ssf": 0.1}, deviation=0.2), {"full": 9_000_000, "ssf": 60_000})
    text = markdown(make("recommendations", replace(sources, recommendations=none))[1])
    assert f"5 datasets | none | 0 of 1 | {GAP} | {GAP} | {GAP} | {GAP} | {GAP} |" in text


@pytest.mark.parametrize("name", ["ranks", "recommendations"])
@pytest.mark.parametrize("form", RENDERERS)
def test_a_study_that_failed_has_an_empty_table(sources, name, form):
    empty = replace(sources, **{name: getattr(sources, name).iloc[:0]})
    numbers, layout = make(name, empty)
    assert numbers.empty
    assert RENDERERS[form](layout)


@pytest.mark.parametrize("name", [name for name in artefacts.tables() if name not in ELSEWHERE])
@pytest.mark.parametrize("form", RENDERERS)
def test_every_row_has_a_cell_for_every_column(sources, name, form):
    _, layout = make(name, sources)
    assert all(len(row) == len(layout.header) for group in layout.groups.values() for row in group)
    assert RENDERERS[form](layout)


def test_a_zero_has_no_minus():
    assert (number(-1e-9), number(-1e-9, sign=True), number(-0.0006)) == ("0.000", "+0.000", f"{MINUS}0.001")
    assert number(1234.5, 0, group=True) == "1,234"


def test_no_p_value_reads_0_or_1():
    cases = {0.0: "< .001", 0.0004: "< .001", 0.0005: ".001", 0.0341: ".034", 0.9994: ".999", 1.0: "> .999"}
    assert {value: p_value(value) for value in cases} == cases
    assert (p_text(0.0341), p_text(1e-9), p_text(1.0), p_text(np.nan)) == ("p = .034", "p < .001", "p > .999", "no p")
    assert p_value(np.nan) == GAP


def test_no_share_and_no_file_rounds_to_nothing():
    assert [share(value) for value in (0, 1e-6, 0.5, 0.99999, 1)] == [
        "0.0 %",
        "< 0.1 %",
        "50.0 %",
        "> 99.9 %",
        "100.0 %",
    ]
    assert share(np.nan) == GAP
    assert [mebibytes(size) for size in (0, 900, 2**20, 1500 * 2**20)] == ["0.00", "< 0.01", "1.00", "1,500.00"]


def test_special_characters_survive_every_markup():
    layout = Layout(["a_b", "x|y"], {"50 %": [[Cell('say "no" & go'), Cell(number(-0.5), "[1, 2]", bold=True)]]})
    assert r"say \"no\" & go" in typst(layout)
    assert r'say "no" \& go' in latex(layout)
    assert r"a\_b & x\textbar{}y" in latex(layout)
    assert r"x\|y" in markdown(layout)
    assert "$-$0.500" in latex(layout)
    assert r"\textit{50 \%}" in latex(layout)


def test_published_numbers_are_complete_and_in_range():
    assert len(PUBLISHED["table2"]) == 5 * 6
    assert PUBLISHED["table2"]["f1"].between(0, 1).all()
    assert PUBLISHED["table2"]["f1_std"].between(0.004, 0.019).all()
    assert PUBLISHED["figure1"].groupby(["backbone", "method"]).size().eq(8).all()
    assert PUBLISHED["table3"].groupby(["dataset", "backbone"]).size().to_list() == [8] * 15
    assert PUBLISHED["table5"].groupby(["dataset", "backbone"]).size().to_list() == [8] * 10
    # Printed averages: LoRA over full fine-tuning by 4 points on ViT-B and 6 on ViT-H.
    lead = PUBLISHED["table3"].pivot_table(index="backbone", columns="method", values="f1")
    assert (lead["lora"] - lead["full"])["vit_base_patch16_224.augreg_in21k"] == pytest.approx(0.04, abs=0.005)
    assert (lead["lora"] - lead["full"])["vit_huge_patch14_224.orig_in21k"] == pytest.approx(0.06, abs=0.005)
    means = PUBLISHED["table2"].groupby("method")["f1"].mean()
    assert means["full"] == pytest.approx(0.782)
    assert means.idxmax() == "ssf"


def test_methods_that_are_shown_together_look_different():
    assert len({(look.colour, look.marker) for look in STYLES.values()}) == len(STYLES)
    for together in (
        ["full", "linear_probe", "tsa", "batchnorm", "bias", "ssf"],
        ["full", "linear_probe", "attention", "layernorm", "bitfit", "lora", "ssf", "adaptformer"],
        ["untuned", "full", "attention", "bias", "norm", "bias_norm_attention", "lora", "svdiff", "difffit"],
    ):
        assert len({style(method).colour for method in together}) == len(together)
        assert len({style(method).marker for method in together}) == len(together)


@pytest.mark.parametrize("method", sorted(registry.names()))
def test_every_method_has_a_label_that_readers_know(method):
    """A new one needs no entry in the palette: its label is then its title."""
    known = STYLES[method].label if method in STYLES else registry.declared(method)["title"]
    assert style(method).label == known


def test_baselines_come_first_and_a_new_method_last():
    assert in_order(["zeta", "ssf", "untuned", "full", "ssf"]) == ["untuned", "full", "ssf", "zeta"]
    assert style("zeta") == style("zeta")


def _scored(shift: float) -> pd.DataFrame:
    """Return scores of two methods at one fraction; `shift` is added to those of ssf."""
    rows = [("full", 0.70, 0.66, 0.73), ("ssf", 0.72 + shift, 0.68 + shift, 0.76 + shift)]
    table = pd.DataFrame(rows, columns=["method", "mean", "low", "high"])
    return table.assign(dataset="busi", backbone="resnet50", fraction=1.0, metric="f1_micro")


@pytest.mark.parametrize("ours", ["grouped", "paper"])
def test_leakage_is_what_a_score_and_a_gain_lose(ours):
    """Worked out by hand, whichever of the two studies is at hand."""
    scores = {"grouped": _scored(0), "paper": _scored(0.1)}
    theirs = {"grouped": "paper", "paper": "grouped"}[ours]
    table, layout = make("leakage", Sources(scores=scores[ours], other_scores=scores[theirs], splits=[ours, theirs]))
    row = table.set_index("method").loc["ssf"]
    assert row["difference"] == pytest.approx(0.1)
    assert [row["low"], row["high"]] == pytest.approx([0.1 - 0.04 * 2**0.5, 0.1 + 0.04 * 2**0.5])
    assert [row["gain_grouped"], row["gain_paper"]] == pytest.approx([0.02, 0.12])
    full = table.set_index("method").loc["full"]
    assert [full["low"], full["high"]] == pytest.approx([-0.05, 0.05])  # 0.04 and 0.03 make 0.05
    (group,) = layout.groups.values()
    assert [row[0].text for row in group] == ["Full fine-tuning", "SSF"]
    assert group[1][3].text == "+0.100"


def test_two_studies_are_set_side_by_side_in_the_primary_metric():
    scores = pd.concat([_scored(0), _scored(0.1).assign(metric="brier")])
    given = Sources(scores=scores, other_scores=scores, splits=["grouped", "paper"], primary="brier")
    table, layout = make("leakage", given)
    assert table.set_index("method").at["ssf", "mean_grouped"] == pytest.approx(0.82)
    assert layout.notes[0].startswith("Brier score, mean over seeds")


def test_leakage_needs_both_protocols():
    with pytest.raises(UserError, match="are split by grouped and grouped, where one must be grouped and one paper"):
        make("leakage", Sources(scores=_scored(0), other_scores=_scored(0), splits=["grouped", "grouped"]))


@pytest.mark.parametrize("own_here", [True, False])
def test_rate_fairness_is_what_a_score_and_a_gain_win_by_own_rates(own_here):
    """Worked out by hand, whichever of the two studies is at hand."""
    shared, own = _scored(0), _scored(0.1)
    here, there = (own, shared) if own_here else (shared, own)
    given = Sources(scores=here, rate_scores=there, rates_per_fraction=[own_here, not own_here])
    table, layout = make("rate_fairness", given)
    ssf, full = (table.set_index("method").loc[method] for method in ("ssf", "full"))
    assert [ssf["mean_shared"], ssf["mean_per_fraction"]] == [shared["mean"].iloc[-1], own["mean"].iloc[-1]]
    assert [ssf["difference"], full["difference"]] == pytest.approx([0.1, 0])
    assert [ssf["low"], ssf["high"]] == pytest.approx([0.1 - 0.04 * 2**0.5, 0.1 + 0.04 * 2**0.5])
    assert [ssf["gain_shared"], ssf["gain_per_fraction"], ssf["gain_difference"]] == pytest.approx([0.02, 0.12, 0.1])
    (group,) = layout.groups.values()
    assert [line[-1].text for line in group] == ["+0.000", "+0.100"]


def test_rate_fairness_needs_both_kinds_of_search():
    alike = Sources(scores=_scored(0), rate_scores=_scored(0), rates_per_fraction=[True, True])
    with pytest.raises(UserError, match=r"both have tuning\.per_fraction: true, where one must"):
        make("rate_fairness", alike)


GENERATED = {"fid": 30.0, "kid": 0.02, "precision": 0.5, "recall": 0.25}
FLOOR = {
    "n_test": 1000,
    "feature_extractor": "inception",
    "features": 2048,
    **{"floor_fid": 9.0, "floor_fid_low": 7.5, "floor_fid_high": 10.5},
    **{"floor_kid": 0.001, "floor_kid_low": -0.001, "floor_kid_high": 0.003},
    "floor_images": 1000,
    "floor_draws": 10,
    "floor_pool": 5000,
}


def generated(dataset="mimic_cxr", backbone="stable_diffusion_v1_5", pairs=110_000, **facts) -> pd.DataFrame:
    """Return rows of `runs.csv`: two seeds of three methods at two fractions, of LoRA with all pairs one failed."""
    rows = []
    for seed in (0, 1):
        for place, method in enumerate(("full", "lora", "bias")):
            for fraction in (1.0, 0.1):
                scores = {name: value * (1 + place) + seed for name, value in GENERATED.items()}
                failed = (method, fraction, seed) == ("lora", 1.0, 1) or (method, fraction) == ("bias", 0.1)
                row = {"method": method, "fraction": fraction, "seed": seed, "n_train": round(pairs * fraction)}
                row |= dict.fromkeys(scores, np.nan) if failed else scores
                rows.append(row | FLOOR | facts | {"status": "failed: out of memory" if failed else "ok"})
    table = pd.DataFrame(rows).assign(dataset=dataset, backbone=backbone, task="text-to-image", experiment="table4")
    cost = {"train_seconds": 60.0, "images_per_second": 3.0, "peak_memory_bytes": 2**30, "adapter_bytes": 2**20}
    return table.assign(device="cpu", **cost)


def fid_intervals(runs: pd.DataFrame) -> pd.DataFrame:
    """Return `generation_intervals.csv` of the cells of `runs`: FID within 2, KID within .01."""
    cells = runs[[*CELL]].drop_duplicates()
    fid = cells.assign(metric="fid", low=28.5, high=32.5, seeds=2)
    return pd.concat([fid, cells.assign(metric="kid", low=0.01, high=0.03, seeds=2)])


def fid_table(**facts):
    runs = generated(**facts)
    return make("table4", Sources(runs=runs, generation_intervals=fid_intervals(runs), published=PUBLISHED))


def test_table4_has_the_published_fid_beside_ours():
    table, layout = fid_table()
    full = table.set_index(["method", "fraction"]).loc[("full", 1.0)]
    assert (full["fid"], full["published_fid"], full["difference"]) == pytest.approx((30.5, 58.74, 30.5 - 58.74))
    assert full["fid_std"] == pytest.approx(0.5**0.5)
    text = markdown(layout)
    assert layout.header == ["Method", "100 %", "10 %"]
    assert "*mimic cxr, stable\\_diffusion\\_v1\\_5; training pairs: 110,000, 11,000*" in text
    lines = ["**30.50 ± 0.71**", "[28.50, 32.50]", "KID 0.5200 [0.0100, 0.0300]", "P 1.00, R 0.75"]
    lines.append(f"published 58.74 ({MINUS}28.24)")
    assert f"| Full fine-tuning | {'<br>'.join(lines)} |" in text
    assert all(len(row) == 3 for group in layout.groups.values() for row in group)
    assert all(render(layout) for render in RENDERERS.values())


def test_failed_generations_are_gaps():
    _, layout = fid_table()
    text = markdown(layout)
    assert "| 60.00†<br>" in text
    assert f"| {GAP}<br>published 17.87 |" in text
    assert any("LoRA on mimic cxr, stable_diffusion_v1_5: 1 of 2" in note for note in layout.notes)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"dataset": "busi"}, "busi, stable_diffusion_v1_5: those of Stable Diffusion"),
        ({"dataset": "busi"}, "which differ in dataset."),
        ({"backbone": "latent_diffusion_mini"}, "which differ in diffusion pipeline."),
        ({"feature_extractor": "efficientnet_lite0"}, "which differ in extractor (inception)."),
        ({"n_test": 500}, "which differ in number of images (N = 1,000 against 500 here)."),
        ({"pairs": 190_000}, "training pairs at 100 % (110,000 against 190,000 here); training pairs at 10 % (11,000 "),
    ],
)
def test_a_published_fid_of_something_else_is_not_beside_ours(facts, reason):
    table, layout = fid_table(**facts)
    assert table[["published_fid", "difference"]].isna().all(axis=None)
    assert "published" not in "".join(cell.below for group in layout.groups.values() for row in group for cell in row)
    (note,) = (note for note in layout.notes if note.startswith("Not beside"))
    assert reason in note


@pytest.mark.parametrize(("pairs", "same"), [(110_000, True), (104_501, True), (104_000, False), (116_000, False)])
def test_as_many_training_pairs_are_those_within_a_twentieth(pairs, same):
    table, layout = fid_table(pairs=pairs)
    assert table.loc[(table["fraction"] == 1) & (table["method"] == "full"), "difference"].notna().item() == same
    assert any(note.startswith("Not beside") for note in layout.notes) == (not same)
    assert any("within 5 %" in note for note in layout.notes) == same


@pytest.mark.parametrize(
    ("images", "features", "small"),
    [(1000, 2048, True), (2048, 2048, False), (1000, 1280, True), (1000, 384, False)],
)
def test_few_images_are_warned_of(images, features, small):
    _, layout = fid_table(n_test=images, features=features)
    floor = (
        f"have an FID of 9.00 [7.50, 10.50] and a KID of 0.0010 [{MINUS}0.0010, 0.0030] against the same test images"
    )
    assert any(f"N = {images:,}" in note and floor in note for note in layout.notes)
    assert any(note.startswith("Beware of the FIDs on mimic cxr") for note in layout.notes) == small


def test_without_enough_training_images_the_floor_is_a_gap_with_its_reason():
    nothing = {f"floor_{metric}{end}": np.nan for metric in ("fid", "kid") for end in ("", "_low", "_high")}
    _, layout = fid_table(**nothing, floor_draws=0, floor_pool=320)
    reason = "There is no floor: it takes 1,000 real training images of other patients, and there are 320."
    assert any(reason in note for note in layout.notes)


def test_of_a_single_seed_the_interval_is_said_to_cover_the_images_alone():
    runs = generated()
    runs = runs[runs["seed"] == 0]
    intervals = fid_intervals(runs).assign(seeds=1)
    _, layout = make("table4", Sources(runs=runs, generation_intervals=intervals, published=PUBLISHED))
    assert "Of a single seed, it covers the images alone, for these trained networks." in layout.notes[0]
    assert "Of a single seed" not in fid_table()[1].notes[0]


DIFFERENCES = pd.DataFrame(
    [
        ("full", "lora", "fid", -9.0, -12.0, -6.0, 0.001, 0.002, 3),
        ("full", "lora", "kid", 0.01, 0.005, 0.015, 0.001, 0.002, 3),
        ("untuned", "lora", "fid", -20.0, -22.0, -18.0, 0.0001, 0.0001, 3),
        ("untuned", "lora", "kid", -0.02, -0.022, -0.018, 0.0001, 0.0001, 3),
        ("untuned", "full", "fid", -11.0, -12.0, -10.0, np.nan, np.nan, 1),
        ("untuned", "full", "kid", -0.03, -0.04, -0.02, np.nan, np.nan, 1),
    ],
    columns=["reference", "method", "metric", "difference", "low", "high", "p_value", "p_adjusted", "seeds"],
).assign(dataset="busi", backbone="tiny", fraction=1.0)


def test_generators_are_better_only_where_fid_and_kid_say_so():
    table, layout = make("generation_comparisons", Sources(generation_comparisons=DIFFERENCES))
    assert table.groupby(["reference", "method"])["verdict"].first().to_dict() == {
        ("full", "lora"): "undecided",  # FID is better, KID worse
        ("untuned", "lora"): "better",
        ("untuned", "full"): "untested",
    }
    text = markdown(layout)
    assert "*busi, tiny, 100 %, against Full fine-tuning*" in text
    kid = "+0.0100<br>[+0.0050, +0.0150] | .002 | cannot be told |"
    assert f"| LoRA | {MINUS}9.00<br>[{MINUS}12.00, {MINUS}6.00] | .002 | {kid}" in text
    assert f"| {MINUS}0.0200<br>[{MINUS}0.0220, {MINUS}0.0180] | < .001 | better |" in text
    assert f"[{MINUS}0.0400, {MINUS}0.0200] | {GAP} | not tested |" in text
    assert any("covers the images alone, for these trained networks" in note for note in layout.notes)


def test_fid_is_half_the_variance_where_images_are_as_many_as_features():
    """What the warning rests on, for two samples of one Gaussian."""
    random, features = np.random.default_rng(0), 100
    for images, error in ((features, 0.5), (10 * features, 0.05)):
        first, second = (random.normal(size=(images, features)) for _ in range(2))
        one, other = np.cov(first.T), np.cov(second.T)
        roots = np.sqrt(np.linalg.eigvals(one @ other).real.clip(0))
        fid = np.square(first.mean(0) - second.mean(0)).sum() + np.trace(one + other) - 2 * roots.sum()
        assert fid / features == pytest.approx(error, rel=0.1)


def test_costs_stand_beside_those_of_full_fine_tuning(sources):
    runs = sources.runs.copy()
    ssf = runs["method"] == "ssf"
    runs.loc[ssf, ["images_per_second", "peak_memory_bytes"]] = [100.0, 2**29]
    table, layout = make("costs", replace(sources, runs=runs))
    beside = table[table["backbone"].isin(table.loc[table["method"] == "full", "backbone"])]
    for method, ratio in (("ssf", 0.5), ("full", 1.0)):
        found = beside.loc[beside["method"] == method, ["time_ratio", "memory_ratio"]]
        assert len(found) and (found == ratio).all(axis=None)
    table, layout = make("costs", replace(sources, runs=runs[ssf]))
    assert table["time_ratio"].isna().all()
    assert all(len(row) == len(layout.header) for rows in layout.groups.values() for row in rows)


def test_costs_have_the_pipelines_too(sources):
    both = pd.concat([sources.runs, generated()], ignore_index=True)
    table, layout = make("costs", replace(sources, runs=both))
    assert set(table["backbone"]) == {"resnet50", "resnet18", "stable_diffusion_v1_5"}
    assert "| LoRA | 60.0 | 3 | 1.00 | 1024 | 1.00 | 1.00 |" in markdown(layout)


def test_published_fids_are_complete():
    table = PUBLISHED["table4"]
    assert table.groupby("fraction").size().to_dict() == {0.1: 8, 0.5: 8, 1.0: 8}
    assert table[table["method"] == "lora"]["fid"].min() > 390


def test_memorisation_stands_beside_what_chance_makes(sources):
    table, layout = make("memorisation", sources)
    row = table.set_index("method").loc["ssf"]
    assert (row["memorised"], row["by_chance"], row["n_failed"]) == (pytest.approx(0.01), 0.01, 0)
    assert row["memorised_std"] == pytest.approx(0.01 * np.sqrt(2))
    text = markdown(layout)
    assert "| SSF | 1.0 ± 1.4 % | 1.0 % | 50 |" in text
    assert f"| Bias | {GAP} | {GAP} | {GAP} |" in text
    assert "Bias on busi, tiny: 2 of 2" in text
    assert "busi, tiny, 100 %; training images: 584" in text


def test_downstream_has_a_column_a_training_set(sources):
    table, layout = make("downstream", sources)
    rows = table.set_index(["method", "trained_on"])
    assert rows.at[("ssf", "generated"), "f1_micro"] == pytest.approx(0.55)
    assert rows.at[("ssf", "generated"), "n_train"] == 300
    text = markdown(layout)
    assert "| SSF | 0.700 ± 0.000<br>0.600; 0.800 | **0.550 ± 0.071**<br>0.400; 0.900 |" in text
    assert "**0.900 ± 0.000**<br>0.600; 0.800 |" in text
    assert f"| Bias | 0.700 ± 0.000<br>0.600; 0.800 | {GAP} | {GAP} |" in text
    assert "584 real, 300 generated" in text
    assert "Bias on busi, tiny: 2 of 2" in text
