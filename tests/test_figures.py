"""The figures: what is plotted is what is written, and equal figures are equal bytes."""

import numpy as np
import pandas as pd
import pytest

from medpeft.figure import FIGURES, Sources, save
from medpeft.palette import style

CELLS = [
    (dataset, "resnet50", method, fraction)
    for dataset in ("busi", "ham10000")
    for method in ("full", "ssf")
    for fraction in (0.1, 1.0)
]


@pytest.fixture
def sources():
    columns = ["dataset", "backbone", "method", "fraction"]
    cells = pd.DataFrame(CELLS, columns=columns)
    scores = cells.assign(metric="f1_micro", family="additive", n_train=(500 * cells["fraction"]).astype(int), n_runs=3)
    scores = scores.assign(n_failed=0, mean=np.linspace(0.6, 0.9, len(cells)), std=0.01)
    scores = scores.assign(low=scores["mean"] - 0.05, high=scores["mean"] + 0.05)
    runs = pd.concat([cells.assign(experiment=name) for name in ("table2", "figure1")], ignore_index=True)
    trials = cells[cells["fraction"] == 1].merge(pd.DataFrame({"learning_rate": [1e-4, 1e-3]}), how="cross")
    return Sources(
        runs=runs.assign(trainable_parameters=1000),
        scores=scores,
        crossovers=pd.DataFrame([("busi", "resnet50", "ssf", 0.4, 0.7)], columns=[*columns, "f1_micro"]),
        trials=trials.assign(validation_score=[0.5, 0.8] * 4, chosen=[False, True] * 4),
    )


def lines_of(axes, method):
    return [line for line in axes.lines if line.get_color() == style(method).colour and len(line.get_xdata()) > 1]


def test_figure1_plots_the_numbers_of_its_file(sources):
    numbers, figure = FIGURES["figure1"](sources)
    drawn = {axes.get_title(): axes for axes in figure.axes}
    assert set(drawn) == {"busi, resnet50", "ham10000, resnet50"}
    expected = numbers.query("dataset == 'busi' and method == 'ssf' and point == 'mean'")
    line = next(line for line in lines_of(drawn["busi, resnet50"], "ssf") if line.get_marker() == style("ssf").marker)
    assert list(line.get_xdata()) == list(expected["fraction"])
    assert list(line.get_ydata()) == list(expected["f1_micro"])
    crossing = numbers[numbers["point"] == "crossover"].iloc[0]
    assert (crossing["fraction"], crossing["f1_micro"]) == (0.4, 0.7)


def test_figure3_shows_full_data_only(sources):
    numbers, figure = FIGURES["figure3"](sources)
    assert len(numbers) == 4
    assert all(axes.get_xscale() == "log" for axes in figure.axes)


def test_tuning_leaves_out_trials_without_a_score(sources):
    sources.trials.loc[0, "validation_score"] = np.nan
    numbers, figure = FIGURES["tuning"](sources)
    assert len(numbers) == 8
    assert all(np.isfinite(line.get_ydata()).all() for axes in figure.axes for line in axes.lines)


@pytest.mark.parametrize("name", FIGURES)
def test_equal_figures_are_equal_bytes(sources, name, tmp_path):
    for turn in ("first", "second"):
        save(FIGURES[name](sources)[1], tmp_path / f"{turn}.pdf", tmp_path / f"{turn}.png")
    for form in ("pdf", "png"):
        assert (tmp_path / f"first.{form}").read_bytes() == (tmp_path / f"second.{form}").read_bytes()


@pytest.mark.parametrize("name", FIGURES)
def test_the_legend_names_each_strategy_once(sources, name):
    legend = FIGURES[name](sources)[1].legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["Full fine-tuning", "SSF"]
