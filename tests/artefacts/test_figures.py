"""The figures: what is plotted is what is written, and equal figures are equal bytes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_comparisons import rank_tests, ranks

from medpeft.artefacts import registry as artefacts
from medpeft.artefacts.figures.critical_difference import joined
from medpeft.artefacts.figures.figure3 import MARKERS
from medpeft.artefacts.figures.pareto import not_dominated
from medpeft.artefacts.palette import style
from medpeft.artefacts.panels import save
from medpeft.artefacts.sources import Sources
from medpeft.base.runs import Search
from medpeft.statistics.columns import FLOOR_COLUMNS
from medpeft.statistics.crossovers import CROSSOVER_COLUMNS

REFERENCE = Path(__file__).parents[2] / "paper" / "reference"
CELLS = [
    (dataset, "resnet50", method, fraction)
    for dataset in ("busi", "ham10000")
    for method in ("full", "ssf")
    for fraction in (0.1, 1.0)
]


OF_CLASSES = ("confusion", "roc", "precision_recall", "reliability")  # which these sources have nothing of
FIGURES = [name for name, figure in artefacts.figures().items() if figure.stage == "figure"]


def make(name, sources):
    """Return the numbers and the drawing of one figure."""
    return artefacts.maker("figure", name)(sources)


@pytest.fixture
def sources():
    columns = ["dataset", "backbone", "method", "fraction"]
    cells = pd.DataFrame(CELLS, columns=columns)
    scores = cells.assign(metric="f1_micro", family="additive", n_train=(500 * cells["fraction"]).astype(int), n_runs=3)
    scores = scores.assign(n_failed=0, mean=np.linspace(0.6, 0.9, len(cells)), std=0.01)
    scores = scores.assign(low=scores["mean"] - 0.05, high=scores["mean"] + 0.05)
    runs = pd.concat([cells.assign(experiment=name) for name in ("table2", "figure1")], ignore_index=True)
    trials = pd.DataFrame({"learning_rate": [1e-4, 1e-3], "validation_score": [0.5, 0.8]})
    choice = {"learning_rate": 1e-3, "floor": 0.5, "blind": False}
    searched = [Search(*cell[:3]) for cell in CELLS if cell[3] == 1]
    runs["trainable_parameters"] = runs["method"].map({"full": 1_000_000, "ssf": 1000})
    crossovers = [("busi", "resnet50", "ssf", 0.4, 0.7, 0.2, 0.8)]
    two = {"methods": 2, "datasets": 2, "critical_difference": 1.39}
    return Sources(
        runs=runs.assign(task="classification", seed=0, peak_memory_bytes=2**30, train_seconds=2.0),
        scores=scores,
        crossovers=pd.DataFrame(crossovers, columns=CROSSOVER_COLUMNS),
        ranks=ranks({"ssf": 1.2, "full": 1.8}),
        friedman=rank_tests(two, two | {"fraction": 0.1, "datasets": 1, "status": "too few datasets to rank over: 1"}),
        searches={search: (trials.copy(), choice) for search in searched},
        published={name: pd.read_csv(REFERENCE / f"{name}.csv") for name in ("table2", "table3", "figure1")},
    )


def lines_of(axes, method):
    return [line for line in axes.lines if line.get_color() == style(method).colour and len(line.get_xdata()) > 1]


def test_figure1_plots_the_numbers_of_its_file(sources):
    numbers, figure = make("figure1", sources)
    drawn = {axes.get_title(): axes for axes in figure.axes}
    assert set(drawn) == {"busi, resnet50", "ham10000, resnet50"}
    expected = numbers.query("dataset == 'busi' and method == 'ssf' and point == 'mean'")
    line = next(line for line in lines_of(drawn["busi, resnet50"], "ssf") if line.get_marker() == style("ssf").marker)
    assert list(line.get_xdata()) == list(expected["fraction"])
    assert list(line.get_ydata()) == list(expected["f1_micro"])
    crossing = numbers[numbers["point"] == "crossover"].iloc[0]
    assert (crossing["fraction"], crossing["f1_micro"]) == (0.4, 0.7)
    (bar,) = (line for line in lines_of(drawn["busi, resnet50"], "ssf") if line.get_marker() == "|")
    assert list(bar.get_xdata()) == [0.2, 0.8]
    assert not [line for line in lines_of(drawn["ham10000, resnet50"], "ssf") if line.get_marker() == "|"]


@pytest.mark.parametrize("metric", ["auroc", "brier"])
@pytest.mark.parametrize("name", ["figure1", "figure3", "pareto"])
def test_another_primary_metric_is_drawn_without_published_f1(sources, name, metric):
    floors = pd.DataFrame([(dataset, metric, 0.4, "a") for dataset in ("busi", "ham10000")], columns=FLOOR_COLUMNS)
    mirrored = {"mean": "mean", "low": "high", "high": "low"}
    other = sources.scores.assign(metric=metric, **{name: 1 - sources.scores[of] for name, of in mirrored.items()})
    given = replace(sources, primary=metric, scores=pd.concat([sources.scores, other]), floors=floors)
    numbers, figure = make(name, given)
    axes = figure.axes[0]
    assert axes.get_ylabel().startswith({"auroc": "AUROC", "brier": "Brier score"}[metric])
    assert metric in numbers
    assert "published_f1" not in numbers or numbers["published_f1"].isna().all()
    assert "Published" not in {text.get_text() for text in figure.legends[0].get_texts()}
    assert any(list(line.get_ydata()) == [0.4, 0.4] for line in axes.lines)
    if name == "pareto":  # SSF, the cheaper method, scores less than full fine-tuning
        front = numbers[(numbers["cost"] == "trainable_parameters") & numbers["best"]]
        assert set(front["method"]) == ({"ssf"} if metric == "brier" else {"full", "ssf"})


def test_figure1_draws_the_floor_of_each_dataset(sources):
    floors = pd.DataFrame([("busi", "f1_micro", 0.56, "benign")], columns=FLOOR_COLUMNS)
    numbers, figure = make("figure1", replace(sources, floors=floors))
    drawn = {axes.get_title(): [list(line.get_ydata()) for line in axes.lines] for axes in figure.axes}
    assert [0.56, 0.56] in drawn["busi, resnet50"]
    assert [0.56, 0.56] not in drawn["ham10000, resnet50"]
    assert set(numbers.loc[numbers["dataset"] == "busi", "floor"].dropna()) == {0.56}


def test_figure3_shows_full_data_only(sources):
    numbers, figure = make("figure3", sources)
    assert len(numbers) == 4
    assert all(axes.get_xscale() == "log" for axes in figure.axes)
    assert numbers.groupby("method")["marker"].first().to_dict() == pytest.approx(
        {"full": MARKERS[1], "ssf": MARKERS[0]}
    )
    drawn = {line.get_color(): line.get_markersize() for line in figure.axes[0].lines if line.get_marker() in "oD"}
    assert drawn == pytest.approx({style("full").colour: MARKERS[1], style("ssf").colour: MARKERS[0]})


def test_figure3_has_vision_transformers_beside_convolutional_networks(sources):
    vit = sources.runs[sources.runs["experiment"] == "table2"].assign(
        experiment="table3", backbone="vit_base_patch16_224"
    )
    scores = sources.scores.assign(backbone="vit_base_patch16_224")
    both = replace(sources, runs=pd.concat([sources.runs, vit]), scores=pd.concat([sources.scores, scores]))
    numbers, figure = make("figure3", both)
    assert len(numbers) == 8
    assert "ham10000, vit_base_patch16_224" in [axes.get_title() for axes in figure.axes]


def test_figure3_has_the_published_score_of_the_same_network_beside_ours(sources):
    numbers, figure = make("figure3", sources)
    published = numbers.set_index(["dataset", "method"])["published_f1"]
    assert (published["busi", "ssf"], published["busi", "full"]) == (0.94, 0.72)
    hollow = {line.get_color(): line.get_ydata()[0] for line in figure.axes[0].lines if line.get_mfc() == "none"}
    assert hollow == {style("ssf").colour: 0.94, style("full").colour: 0.72}


def test_figure1_has_the_published_line_of_the_same_network_beside_ours(sources):
    name = "vit_base_patch16_224.augreg_in21k"
    swap = {"ssf": "lora"}
    vit = replace(
        sources,
        runs=sources.runs.assign(backbone=name).replace({"method": swap}),
        scores=sources.scores.assign(backbone=name).replace({"method": swap}),
    )
    numbers, figure = make("figure1", vit)
    drawn = {axes.get_title(): axes for axes in figure.axes}
    expected = vit.published["figure1"].query("backbone == @name and method == 'lora' and fraction in (0.1, 1)")["f1"]
    ours = numbers.query("dataset == 'ham10000' and method == 'lora'")
    assert list(ours["published_f1"]) == list(expected)
    (line,) = (line for line in lines_of(drawn[f"ham10000, {name}"], "lora") if line.get_linestyle() == "--")
    assert list(line.get_ydata()) == list(expected)
    assert not [line for line in lines_of(drawn[f"busi, {name}"], "lora") if line.get_linestyle() == "--"]
    assert figure.legends[0].get_texts()[-1].get_text() == "Published"


def test_not_dominated_by_hand():
    score = pd.Series([0.9, 0.8, 0.7, 0.8, np.nan])
    cost = pd.Series([100, 10, 20, 10, 1])
    # The third is worse and dearer than the second, which the fourth equals; without a score nothing is known.
    assert list(not_dominated(score, cost)) == [True, True, False, True, False]


def test_pareto_has_a_panel_a_cost_with_means_over_datasets(sources):
    numbers, figure = make("pareto", sources)
    assert len(numbers) == 2 * 3
    assert len(figure.axes) == 3
    full = sources.scores[(sources.scores["method"] == "full") & (sources.scores["fraction"] == 1)]
    assert numbers.loc[numbers["method"] == "full", "f1_micro"].iloc[0] == pytest.approx(full["mean"].mean())
    best = numbers[numbers["best"]].groupby("cost")["method"].agg(set)
    assert best["trainable_parameters"] == {"ssf"}  # as the scores rise from full fine-tuning to SSF


def test_runs_of_ranks_within_the_critical_difference_are_joined():
    ranks = np.array([1.0, 2.0, 2.5, 4.0])
    assert joined(ranks, 1.5) == [(1.0, 2.5), (2.5, 4.0)]
    assert joined(ranks, 0.3) == []
    assert joined(ranks, 3.0) == [(1.0, 4.0)]


def test_critical_difference_shows_what_was_tested(sources):
    numbers, figure = make("critical_difference", sources)
    assert [axes.get_title() for axes in figure.axes] == ["Convolutional networks, 100 %, 2 datasets"]
    assert set(numbers["method"]) == {"full", "ssf"}
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["SSF 1.20", "Full fine-tuning 1.80"]
    assert [text.get_text() for text in axes.texts] == ["critical difference 1.39"]
    ends = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    assert [list(pair) for pair in ends[:2]] == [pytest.approx([1.1, 1.3]), pytest.approx([1.7, 1.9])]


@pytest.mark.parametrize("name", ["figure3", "pareto"])
def test_many_panels_keep_legend_and_titles_on_the_page(sources, name):
    methods = ["full", "linear_probe", "attention", "layernorm", "bitfit", "lora", "ssf", "adaptformer"]
    cells = pd.DataFrame(
        [(f"data{i}", "vit_huge_patch14_224.orig_in21k", method, 1.0) for i in range(15) for method in methods],
        columns=["dataset", "backbone", "method", "fraction"],
    )
    scores = pd.concat([sources.scores.iloc[:1].drop(columns=cells.columns)] * len(cells), ignore_index=True).join(
        cells
    )
    runs = pd.concat([sources.runs.iloc[:1].drop(columns=cells.columns)] * len(cells), ignore_index=True).join(cells)
    _, figure = make(name, replace(sources, scores=scores, runs=runs))
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width
    titles = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    assert all(0 <= title.x0 < title.x1 <= figure.bbox.width for title in titles)


def test_tuning_leaves_out_trials_without_a_score(sources):
    next(iter(sources.searches.values()))[0].loc[0, "validation_score"] = np.nan
    numbers, figure = make("tuning", sources)
    assert len(numbers) == 8
    assert all(np.isfinite(line.get_ydata()).all() for axes in figure.axes for line in axes.lines)


@pytest.mark.parametrize("name", FIGURES)
def test_equal_figures_are_equal_bytes(sources, name, tmp_path):
    for turn in ("first", "second"):
        save(make(name, sources)[1], tmp_path / f"{turn}.pdf", tmp_path / f"{turn}.png")
    for form in ("pdf", "png"):
        assert (tmp_path / f"first.{form}").read_bytes() == (tmp_path / f"second.{form}").read_bytes()


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in OF_CLASSES])
def test_the_legend_names_each_method_once(sources, name):
    legend = make(name, sources)[1].legends[0]
    published = ["Published"] if name == "figure3" else []
    assert [text.get_text() for text in legend.get_texts()] == ["Full fine-tuning", "SSF", *published]


def test_tuning_crosses_what_was_chosen_blindly_and_draws_the_floor(sources):
    search, (trials, choice) = next(iter(sources.searches.items()))
    _, figure = make(
        "tuning", replace(sources, searches=sources.searches | {search: (trials, choice | {"blind": True})})
    )
    crossed = [(axes, line) for axes in figure.axes for line in axes.lines if line.get_marker() == "x"]
    drawn = [(axes.get_title(), *line.get_xydata()[0]) for axes, line in crossed if len(line.get_xydata())]
    assert drawn == [(f"{search.dataset}, {search.backbone}", 1e-3, 0.8)]
    assert all(any(set(line.get_ydata()) == {0.5} for line in axes.lines) for axes in figure.axes if axes.lines)


def test_tuning_has_a_panel_a_fraction_and_a_line_a_seed(sources):
    trials, choice = next(iter(sources.searches.values()))
    searches = {
        Search("busi", "resnet50", "ssf", fraction, seed): (trials, choice)
        for fraction in ("0.1", "1")
        for seed in ("0", "1", "2")
    }
    _, figure = make("tuning", replace(sources, searches=searches))
    drawn = {axes.get_title(): lines_of(axes, "ssf") for axes in figure.axes if axes.lines}
    assert {title: [len(line.get_xdata()) for line in lines[:3]] for title, lines in drawn.items()} == {
        "busi, resnet50, 10 %": [2, 2, 2],
        "busi, resnet50, 100 %": [2, 2, 2],
    }
