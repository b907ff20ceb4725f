"""The tables: each function returns the numbers, one row a case, and the layout for readers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medpeft.collect import CELL, distinct
from medpeft.errors import UserError
from medpeft.markup import GAP, MINUS, Cell, Layout, interval, number
from medpeft.palette import in_order, style

NOT_PEFT = ("full", "linear_probe")
SIGNIFICANT = 0.05
F1 = {"f1_micro": "micro-F1", "f1_macro": "macro-F1"}
SEEDS_NOTE = "Mean ± standard deviation over seeds; in brackets, the 95 % bootstrap interval over test images."


@dataclass(frozen=True)
class Material:
    """What the tables are made of: the study's CSV files, its records, its learning-rate trials, published numbers.

    `records` maps (dataset, backbone, method) to one run's `record.json`, `trials` to one search's `trials.csv`,
    `choices` to its `learning_rate.json`, `published` the name of a published table to its rows.
    """

    runs: pd.DataFrame
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    records: dict[tuple[str, str, str], dict]
    trials: dict[tuple[str, str, str], pd.DataFrame]
    choices: dict[tuple[str, str, str], dict]
    published: dict[str, pd.DataFrame]


def experiment(material: Material, name: str) -> pd.DataFrame:
    """Return the scores of the cells of one experiment, one row a cell, with columns `<metric>` and `<metric>_std`.

    `f1_micro_low` and `f1_micro_high` bound the interval of micro-F1, and likewise of macro-F1. Raises `UserError`
    where the study has no such experiment.
    """
    runs = material.runs[material.runs["experiment"] == name]
    if runs.empty:
        raise UserError(f"the study has no experiment {name!r}: add it under experiments or leave this artefact out")
    wide = material.scores.pivot(index=CELL, columns="metric", values=["mean", "std", "low", "high"])
    wide.columns = [metric if part == "mean" else f"{metric}_{part}" for part, metric in wide.columns]
    wide = wide[sorted(wide.columns)].dropna(axis="columns", how="all")
    counts = material.scores.drop_duplicates(CELL)[[*CELL, "family", "n_train", "n_runs", "n_failed"]]
    return runs[CELL].drop_duplicates().merge(counts, on=CELL).merge(wide.reset_index(), on=CELL)


def full_data(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `cells` with the largest training fraction."""
    return cells[cells["fraction"] == cells["fraction"].max()]


def table2(material: Material) -> tuple[pd.DataFrame, Layout]:
    """F1 of every strategy on every dataset with all training images, beside the published values."""
    cells = with_published(full_data(experiment(material, "table2")), material.published["table2"])
    datasets = list(dict.fromkeys(cells["dataset"]))
    published = [name for name in datasets if cells.loc[cells["dataset"] == name, "published_resnet50"].notna().any()]
    header = ["Strategy"]
    for dataset in datasets:
        header += [plain(dataset)] + ["published"] * (dataset in published)
    header += ["Average"] * (len(datasets) > 1) + ["Rank"]
    blocks = {
        backbone: _table2_block(rows, datasets, published) for backbone, rows in cells.groupby("backbone", sort=False)
    }
    notes = [SEEDS_NOTE]
    if published:
        notes.append("Published: ResNet-50, Dutt et al. 2024, table 2.")
    return cells, Layout(header, blocks, notes + _failure_notes(cells))


def with_published(cells: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Add the published F1 of the same dataset, backbone and method, the difference, and the published ResNet-50 F1."""
    same = published.rename(columns={"f1": "published_f1", "f1_std": "published_f1_std"})
    resnet50 = published.loc[published["backbone"] == "resnet50", ["dataset", "method", "f1"]]
    resnet50 = resnet50.rename(columns={"f1": "published_resnet50"})
    cells = cells.merge(same, on=["dataset", "backbone", "method"], how="left")
    cells = cells.assign(difference=cells["f1_micro"] - cells["published_f1"])
    return cells.merge(resnet50, on=["dataset", "method"], how="left")


def _table2_block(rows: pd.DataFrame, datasets: list[str], published: list[str]) -> list[list[Cell]]:
    by_method = {method: of_method.set_index("dataset") for method, of_method in rows.groupby("method")}
    best = rows.groupby("dataset")["f1_micro"].max()
    means = pd.Series(
        {method: of_method["f1_micro"].reindex(datasets).mean(skipna=False) for method, of_method in by_method.items()}
    )
    ranks = means.rank(ascending=False, method="dense")
    block = []
    for method in in_order(by_method):
        line = [Cell(style(method).label)]
        for dataset in datasets:
            row = by_method[method].reindex([dataset]).iloc[0]
            line.append(score_cell(row, "f1_micro", bold=row["f1_micro"] == best[dataset]))
            if dataset in published:
                line.append(Cell(number(row["published_resnet50"], 2)))
        if len(datasets) > 1:
            line.append(Cell(number(means[method]), bold=means[method] == means.max()))
        block.append([*line, Cell(number(ranks[method], 0))])
    return block


def score_cell(row: pd.Series, metric: str, bold: bool = False) -> Cell:
    """Return mean ± standard deviation with the interval below; a gap where every run failed, a mark where some did."""
    if np.isnan(row[metric]):
        return Cell(GAP)
    spread = row.get(f"{metric}_std", np.nan)
    text = number(row[metric]) + ("" if np.isnan(spread) else f" ± {number(spread)}")
    mark = "†" if row["n_failed"] else ""
    return Cell(text + mark, interval(row[f"{metric}_low"], row[f"{metric}_high"]), bold)


def _failure_notes(cells: pd.DataFrame) -> list[str]:
    failed = cells[cells["n_failed"] > 0]
    if failed.empty:
        return []
    cases = [
        f"{style(row.method).label} on {plain(row.dataset)}, {row.backbone}: {row.n_failed} of {row.n_runs}"
        for row in failed.itertuples()
    ]
    return [f"† Failed runs, left out of the mean ({GAP} where all failed): {'; '.join(cases)}."]


def low_data(material: Material) -> tuple[pd.DataFrame, Layout]:
    """F1 of every strategy against the share of the training images, beside published values if there are any."""
    published = material.published["figure1"].rename(columns={"f1": "published_f1"})
    cells = experiment(material, "figure1").merge(published, on=CELL, how="left")
    fractions = sorted(cells["fraction"].unique())
    blocks = {}
    for (dataset, backbone), rows in cells.groupby(["dataset", "backbone"], sort=False):
        sizes = rows.groupby("fraction")["n_train"].max()
        title = (
            f"{plain(dataset)}, {backbone}; training images: {', '.join(f'{sizes.get(f, 0):.0f}' for f in fractions)}"
        )
        best = rows.groupby("fraction")["f1_micro"].max()
        by_cell = rows.set_index(["method", "fraction"])
        blocks[title] = [
            [Cell(style(method).label)]
            + [_at(by_cell, (method, fraction), best.get(fraction, np.nan)) for fraction in fractions]
            for method in in_order(rows["method"])
        ]
    header = ["Strategy", *(percent(fraction) for fraction in fractions)]
    return cells, Layout(header, blocks, [SEEDS_NOTE, *_failure_notes(cells)])


def _at(by_cell: pd.DataFrame, key: tuple, best: float) -> Cell:
    if key not in by_cell.index:
        return Cell(GAP)
    row = by_cell.loc[key]
    return score_cell(row, "f1_micro", bold=row["f1_micro"] == best)


def comparisons(material: Material) -> tuple[pd.DataFrame, Layout]:
    """Whether PEFT beats full fine-tuning: the best method of each case, and which differ significantly.

    Better and worse are judged by the p-values adjusted over all strategies of the case. The best method is chosen
    after the fact, so its difference is a slightly optimistic one; the adjustment covers that choice.
    """
    rows = []
    for case, group in material.comparisons.groupby(["metric", "dataset", "backbone", "fraction"], sort=False):
        peft = group[~group["method"].isin(NOT_PEFT)]
        row = dict(zip(["metric", "dataset", "backbone", "fraction"], case, strict=True))
        row |= {outcome: " ".join(in_order(methods)) for outcome, methods in outcomes(group).items()}
        if not peft.empty:
            best = peft.loc[peft["difference"].idxmax()]
            kept = ["difference", "low", "high", "p_value", "p_adjusted", "seeds_won", "seeds_compared"]
            row |= {"best_peft": best["method"]} | best[kept].to_dict()
        rows.append(row)
    columns = ["metric", "dataset", "backbone", "fraction", "best_peft", "difference", "low", "high", "p_value"]
    columns += ["p_adjusted", "seeds_won", "seeds_compared", "better", "worse", "undecided"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.sort_values(
        ["metric", "dataset", "backbone", "fraction"], ascending=[False, True, True, True], ignore_index=True
    )
    blocks = {
        f"{F1[metric]}: {plain(dataset)}, {backbone}": [_comparison_line(row) for row in of_case.itertuples()]
        for (metric, dataset, backbone), of_case in table.groupby(["metric", "dataset", "backbone"], sort=False)
    }
    header = ["Training images", "Best method", "Gain over full", "Adjusted p", "Seeds won", "Better", "Worse"]
    note = (
        "Gain: difference in F1 of the best method from full fine-tuning, with its paired 95 % bootstrap interval over "
        "test images and seeds. "
        f"Better, worse: every strategy that differs from full fine-tuning with an adjusted p below {SIGNIFICANT}."
    )
    return table, Layout(header, blocks, [note])


def outcomes(case: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the methods of one case by what the adjusted p-values say of them beside full fine-tuning."""
    sure = case["p_adjusted"] < SIGNIFICANT
    return {
        "better": case.loc[sure & (case["difference"] > 0), "method"],
        "worse": case.loc[sure & (case["difference"] < 0), "method"],
        "undecided": case.loc[~sure, "method"],
    }


def _comparison_line(row) -> list[Cell]:
    method = style(row.best_peft).label if isinstance(row.best_peft, str) else GAP
    seeds = GAP if np.isnan(row.seeds_won) else f"{row.seeds_won:.0f} of {row.seeds_compared:.0f}"
    return [
        Cell(percent(row.fraction)),
        Cell(method),
        Cell(number(row.difference, sign=True), interval(row.low, row.high, sign=True)),
        Cell(number(row.p_adjusted)),
        Cell(seeds),
        *(Cell(", ".join(style(name).label for name in names.split()) or GAP) for names in (row.better, row.worse)),
    ]


def table6(material: Material) -> tuple[pd.DataFrame, Layout]:
    """Parameters of every strategy on every backbone; the head's are those of the study's first dataset."""
    rows = [
        {"backbone": backbone, "method": method} | record["cost"]
        for (_, backbone, method), record in material.records.items()
    ]
    columns = ["backbone", "method", "trainable_parameters", "head_parameters", "total_parameters"]
    table = pd.DataFrame(rows)[columns].drop_duplicates(["backbone", "method"], ignore_index=True)
    published = material.published["table6"].set_index(["backbone", "method"])["printed"]
    blocks = {}
    for backbone, group in table.groupby("backbone", sort=False):
        by_method = group.set_index("method")
        blocks[backbone] = [
            _parameters_line(method, by_method.loc[method], published.get((backbone, method), GAP))
            for method in in_order(group["method"])
        ]
    header = ["Strategy", "Trainable", "of it, head", "Total", "Trainable share", "Published"]
    dataset = plain(next(iter(material.records))[0])
    notes = [f"Trainable and total parameters include the head for {dataset}. Published: Dutt et al. 2024, table 6."]
    return table, Layout(header, blocks, notes)


def _parameters_line(method: str, row: pd.Series, published: str) -> list[Cell]:
    share = row["trainable_parameters"] / row["total_parameters"]
    counts = (row["trainable_parameters"], row["head_parameters"], row["total_parameters"])
    return [
        Cell(style(method).label),
        *(Cell(f"{count:,}") for count in counts),
        Cell(f"{100 * share:.3g} %"),
        Cell(published.replace("-", GAP)),
    ]


def costs(material: Material) -> tuple[pd.DataFrame, Layout]:
    """What a run costs: medians over the runs with all training images, as measured."""
    measures = ["train_seconds", "images_per_second", "peak_memory_bytes", "adapter_bytes"]
    table = (
        full_data(distinct(material.runs))
        .groupby(["dataset", "backbone", "method", "device"], sort=False)[measures]
        .median()
        .reset_index()
    )
    blocks = {}
    for (dataset, backbone, device), rows in table.groupby(["dataset", "backbone", "device"], sort=False):
        by_method = rows.set_index("method")
        blocks[f"{plain(dataset)}, {backbone}, on {device}"] = [
            [
                Cell(style(method).label),
                Cell(number(by_method.at[method, "train_seconds"], 1)),
                Cell(number(by_method.at[method, "images_per_second"], 0)),
                Cell(number(by_method.at[method, "peak_memory_bytes"] / 2**20, 0)),
                Cell(number(by_method.at[method, "adapter_bytes"] / 2**20, 2)),
            ]
            for method in in_order(rows["method"])
        ]
    header = ["Strategy", "Training (s)", "Images per s", "Peak memory (MiB)", "File (MiB)"]
    return table, Layout(header, blocks, ["Medians over runs; training time without evaluation."])


def learning_rates(material: Material) -> tuple[pd.DataFrame, Layout]:
    """The learning rate that the search chose for every strategy, and its multiple of that of full fine-tuning."""
    table = pd.DataFrame([_search(key, trials, material.choices[key]) for key, trials in material.trials.items()])
    table = table.astype({"learning_rate": float, "validation_score": float})
    full = table[table["method"] == "full"].set_index(["dataset", "backbone"])["learning_rate"].rename("full")
    table = table.join(full, on=["dataset", "backbone"])
    table["times_full"] = table["learning_rate"] / table.pop("full")
    blocks = {}
    for (dataset, backbone), rows in table.groupby(["dataset", "backbone"], sort=False):
        by_method = rows.set_index("method")
        blocks[f"{plain(dataset)}, {backbone}"] = [
            _search_line(method, by_method.loc[method]) for method in in_order(rows["method"])
        ]
    header = ["Strategy", "Learning rate", "Times full's", "Validation score", "Trials", "At the edge"]
    return table, Layout(header, blocks, ["At the edge: the best trial was the lowest or the highest one tried."])


def _search(key: tuple[str, str, str], trials: pd.DataFrame, choice: dict) -> dict:
    rates = trials["learning_rate"]
    return dict(zip(["dataset", "backbone", "method"], key, strict=True)) | {
        "learning_rate": choice["learning_rate"],
        "validation_score": choice["validation_score"],
        "trials": len(trials),
        "trials_failed": int((trials["state"] == "fail").sum()),
        "at_edge": choice["learning_rate"] in (rates.min(), rates.max()),
    }


def _search_line(method: str, row: pd.Series) -> list[Cell]:
    trials = f"{row['trials']}" + (f" ({row['trials_failed']} failed)" if row["trials_failed"] else "")
    return [
        Cell(style(method).label),
        Cell(
            GAP
            if np.isnan(row["learning_rate"])
            else f"{row['learning_rate']:.2e}".replace("e-0", "e-").replace("-", MINUS)
        ),
        Cell(number(row["times_full"], 1)),
        Cell(number(row["validation_score"])),
        Cell(trials),
        Cell("yes" if row["at_edge"] else "no"),
    ]


def plain(name: str) -> str:
    """Return the name of a dataset as a reader sees it."""
    return name.replace("_", " ")


def percent(fraction: float) -> str:
    """Return a training fraction as per cent."""
    return f"{100 * fraction:g} %"


TABLES: dict[str, Callable[[Material], tuple[pd.DataFrame, Layout]]] = {
    "table2": table2,
    "table6": table6,
    "comparisons": comparisons,
    "low_data": low_data,
    "learning_rates": learning_rates,
    "costs": costs,
}
