"""The tables: the right numbers in the right places, gaps for what failed, and three markups that agree."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpeft.errors import UserError
from medpeft.markup import GAP, RENDERERS, Cell, Layout, latex, markdown, number, typst
from medpeft.palette import STYLES, in_order, style
from medpeft.table import CELL, TABLES, Material

REFERENCE = Path(__file__).parents[1] / "paper" / "reference"
PUBLISHED = {name: pd.read_csv(REFERENCE / f"{name}.csv") for name in ("table2", "table6", "figure1")}
COST = {"trainable_parameters": 60, "head_parameters": 6, "total_parameters": 100, "adapter_bytes": 240}
MEANS = {"full": 0.80, "ssf": 0.90, "bias": np.nan}


def score_rows(dataset, backbone, method, fraction):
    mean = MEANS[method]
    failed = 3 if np.isnan(mean) else 0
    for metric in ("f1_micro", "f1_macro", "auroc"):
        bounds = (np.nan, np.nan) if metric == "auroc" else (mean - 0.05, mean + 0.05)
        yield (dataset, backbone, method, fraction, metric, "additive", 100, 3, failed, mean, 0.01 + mean * 0, *bounds)


@pytest.fixture
def material():
    cells = [("busi", backbone, method, 1.0) for backbone in ("resnet50", "resnet18") for method in MEANS]
    columns = [*CELL, "metric", "family", "n_train", "n_runs", "n_failed", "mean", "std", "low", "high"]
    scores = pd.DataFrame([row for cell in cells for row in score_rows(*cell)], columns=columns)
    runs = pd.DataFrame(cells, columns=["dataset", "backbone", "method", "fraction"])
    runs = runs.assign(experiment="table2", seed=0, device="cpu", train_seconds=2.0, images_per_second=50.0)
    runs = runs.assign(peak_memory_bytes=2**30, **COST)
    difference = {"difference": 0.1, "low": 0.05, "high": 0.15, "p_value": 0.001, "p_adjusted": 0.002}
    comparisons = pd.DataFrame(
        [
            {"dataset": "busi", "backbone": "resnet50", "method": "ssf", "fraction": 1.0, "metric": metric}
            | difference
            | {"seeds_won": 3, "seeds_compared": 3}
            for metric in ("f1_micro", "f1_macro")
        ]
    )
    keys = [cell[:3] for cell in cells]
    trials = pd.DataFrame({"learning_rate": [1e-4, 1e-3, 1e-2], "state": ["complete", "complete", "fail"]})
    rates = {"full": 1e-4, "ssf": 1e-3, "bias": None}
    return Material(
        runs=runs,
        scores=scores,
        comparisons=comparisons,
        records={key: {"cost": COST} for key in keys},
        trials=dict.fromkeys(keys, trials),
        choices={key: {"learning_rate": rates[key[2]], "validation_score": rates[key[2]] and 0.8} for key in keys},
        published=PUBLISHED,
    )


def test_table2_puts_the_published_value_beside_ours(material):
    table = TABLES["table2"](material)[0].set_index(["backbone", "method"])
    assert table.at[("resnet50", "ssf"), "published_f1"] == 0.94
    assert table.at[("resnet50", "ssf"), "difference"] == pytest.approx(-0.04)
    assert np.isnan(table.at[("resnet18", "ssf"), "published_f1"])  # another backbone has no published counterpart
    assert table.at[("resnet18", "ssf"), "published_resnet50"] == 0.94


def test_table2_marks_the_best_ranks_and_shows_a_gap_for_failed_runs(material):
    _, layout = TABLES["table2"](material)
    text = markdown(layout)
    assert "| SSF | **0.900 ± 0.010**<br>[0.850, 0.950] | 0.94 | 1 |" in text
    assert "| Full fine-tuning | 0.800 ± 0.010<br>[0.750, 0.850] | 0.72 | 2 |" in text
    assert f"| Bias | {GAP} | 0.89 | {GAP} |" in text
    assert "Bias on busi, resnet50: 3 of 3" in text


def test_a_phantom_has_no_published_column(material):
    material.scores["dataset"] = material.runs["dataset"] = "breast_phantom"
    table, layout = TABLES["table2"](material)
    assert table["published_resnet50"].isna().all()
    assert "published" not in layout.header


def test_a_single_seed_has_no_standard_deviation(material):
    material.scores["std"] = np.nan
    assert "**0.900**<br>[0.850, 0.950]" in markdown(TABLES["table2"](material)[1])


def test_an_experiment_that_the_study_lacks_is_a_sentence(material):
    with pytest.raises(UserError, match="no experiment 'figure1'"):
        TABLES["low_data"](material)


def test_low_data_takes_the_cells_of_its_experiment(material):
    material.runs["experiment"] = "figure1"
    table, layout = TABLES["low_data"](material)
    assert len(table) == 6
    assert layout.header == ["Strategy", "100 %"]


def test_comparisons_name_the_best_method_and_the_sure_ones(material):
    table, layout = TABLES["comparisons"](material)
    row = table.iloc[0]
    assert (row.metric, row.best_peft, row.better, row.worse) == ("f1_micro", "ssf", "ssf", "")
    assert f"| 100 % | SSF | +0.100<br>[+0.050, +0.150] | 0.002 | 3 of 3 | SSF | {GAP} |" in markdown(layout)


def test_an_unsure_difference_is_neither_better_nor_worse(material):
    material.comparisons["p_adjusted"] = 0.2
    row = TABLES["comparisons"](material)[0].iloc[0]
    assert (row.better, row.undecided) == ("", "ssf")


def test_table6_has_the_columns_of_the_contract(material):
    table, layout = TABLES["table6"](material)
    columns = ["backbone", "method", "trainable_parameters", "head_parameters", "total_parameters"]
    assert list(table.columns) == columns
    assert len(table) == 6
    assert f"| SSF | 60 | 6 | 100 | 60 % | {GAP} |" in markdown(layout)


def test_learning_rates_give_the_multiple_of_full_and_the_edge(material):
    table = TABLES["learning_rates"](material)[0].set_index(["backbone", "method"])
    assert table.at[("resnet50", "ssf"), "times_full"] == pytest.approx(10)
    assert not table.at[("resnet50", "ssf"), "at_edge"]
    assert table.at[("resnet50", "full"), "at_edge"]
    assert np.isnan(table.at[("resnet50", "bias"), "learning_rate"])
    assert table.at[("resnet50", "ssf"), "trials_failed"] == 1


@pytest.mark.parametrize("name", ["table2", "table6", "comparisons", "learning_rates", "costs"])
@pytest.mark.parametrize("form", RENDERERS)
def test_every_row_has_a_cell_for_every_column(material, name, form):
    _, layout = TABLES[name](material)
    assert all(len(row) == len(layout.header) for block in layout.blocks.values() for row in block)
    assert RENDERERS[form](layout)


def test_special_characters_survive_every_markup():
    layout = Layout(["a_b", "x|y"], {"50 %": [[Cell('say "no" & go'), Cell(number(-0.5), "[1, 2]", bold=True)]]})
    assert r"say \"no\" & go" in typst(layout)
    assert r'say "no" \& go' in latex(layout)
    assert r"a\_b & x|y" in latex(layout)
    assert r"x\|y" in markdown(layout)
    assert "$-$0.500" in latex(layout)
    assert r"\textit{50 \%}" in latex(layout)


def test_published_numbers_are_complete_and_in_range():
    assert len(PUBLISHED["table2"]) == 5 * 6
    assert PUBLISHED["table2"]["f1"].between(0, 1).all()
    assert PUBLISHED["table2"]["f1_std"].between(0.004, 0.019).all()
    assert PUBLISHED["figure1"].groupby(["backbone", "method"]).size().eq(8).all()
    means = PUBLISHED["table2"].groupby("method")["f1"].mean()
    assert means["full"] == pytest.approx(0.782)
    assert means.idxmax() == "ssf"


def test_every_strategy_of_the_project_has_a_style_of_its_own():
    methods = {path.stem for path in (REFERENCE.parents[1] / "scripts/medpeft/methods").glob("*.py")}
    assert methods - {"__init__", "registry"} <= set(STYLES)
    assert len({(look.colour, look.marker) for look in STYLES.values()}) == len(STYLES)
    for together in (
        ["full", "linear_probe", "tsa", "batchnorm", "bias", "ssf"],
        ["full", "linear_probe", "attention", "layernorm", "bitfit", "lora", "ssf", "adaptformer"],
        ["full", "attention", "bias", "norm", "bias_norm_attention", "lora", "svdiff", "difffit"],
    ):
        assert len({style(method).colour for method in together}) == len(together)
        assert len({style(method).marker for method in together}) == len(together)


def test_baselines_come_first_and_a_new_method_last():
    assert in_order(["zeta", "ssf", "full", "ssf"]) == ["full", "ssf", "zeta"]
    assert style("zeta") == style("zeta")
