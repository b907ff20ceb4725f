"""The tables: each function returns the numbers, one row a case, and the layout for readers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import GAP, MINUS, Cell, Layout, interval, number
from medpeft.artefacts.palette import in_order, style
from medpeft.base.errors import UserError
from medpeft.base.runs import CELL
from medpeft.statistics.collect import distinct
from medpeft.statistics.generation_scores import generation_scores, too_few

NOT_PEFT = ("full", "linear_probe")
SIGNIFICANT = 0.05
F1 = {"f1_micro": "micro-F1", "f1_macro": "macro-F1"}
ENCODERS = {"cnn": "Convolutional networks", "vit": "Vision transformers"}
EXACT = 12  # decimals: equal averages are to tie whatever order they were summed in
SEARCH = ["dataset", "backbone", "method", "learning_rate", "validation_score", "trials", "trials_failed", "at_edge"]
SEEDS_NOTE = "Mean ± standard deviation over seeds; in brackets, the 95 % bootstrap interval over test images."


@dataclass(frozen=True)
class Material:
    """What the tables are made of; each needs some of it: the study's CSV files, records and trials, published numbers.

    `records` maps (dataset, backbone, method) to one run's `record.json`, `trials` to one search's `trials.csv`,
    `choices` to its `learning_rate.json`, `published` the name of a published table to its rows. `other_scores` are
    those of the study under the other protocol, `splits` the protocols of both studies. `memorisations` and
    `downstreams` map (dataset, backbone, method, fraction, seed) to `memorisation.json` and `downstream.csv`.
    """

    runs: pd.DataFrame | None = None
    scores: pd.DataFrame | None = None
    other_scores: pd.DataFrame | None = None
    splits: list[str] | None = None
    memorisations: dict[tuple[str, ...], dict] | None = None
    downstreams: dict[tuple[str, ...], pd.DataFrame] | None = None
    comparisons: pd.DataFrame | None = None
    ranks: pd.DataFrame | None = None
    friedman: pd.DataFrame | None = None
    recommendations: pd.DataFrame | None = None
    parameters: pd.DataFrame | None = None
    records: dict[tuple[str, str, str], dict] | None = None
    trials: dict[tuple[str, str, str], pd.DataFrame] | None = None
    choices: dict[tuple[str, str, str], dict] | None = None
    published: dict[str, pd.DataFrame] | None = None


def experiment(material: Material, *names: str) -> pd.DataFrame:
    """Return the scores of the cells of some experiments, one row a cell, with columns `<metric>` and `<metric>_std`.

    `f1_micro_low` and `f1_micro_high` bound the interval of micro-F1, and likewise of macro-F1. Raises `UserError`
    where the study has none of these experiments.
    """
    runs = material.runs[material.runs["experiment"].isin(names)]
    if runs.empty:
        raise UserError(
            f"the study has no experiment {' or '.join(map(repr, names))}: add it under experiments or leave this "
            "artefact out"
        )
    wide = material.scores.pivot(index=CELL, columns="metric", values=["mean", "std", "low", "high"])
    wide.columns = [metric if part == "mean" else f"{metric}_{part}" for part, metric in wide.columns]
    wide = wide[sorted(wide.columns)].dropna(axis="columns", how="all")
    counts = material.scores.drop_duplicates(CELL)[[*CELL, "family", "n_train", "n_runs", "n_failed"]]
    return runs[CELL].drop_duplicates().merge(counts, on=CELL).merge(wide.reset_index(), on=CELL)


def full_data(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `cells` with the largest training fraction."""
    return cells[cells["fraction"] == cells["fraction"].max()]


def table1(material: Material) -> tuple[pd.DataFrame, Layout]:
    """The methods of the study, as their modules describe them."""
    entries = {method: record["method"] for (_, _, method), record in material.records.items()}
    rows = [
        {"method": method, **entries[method], "encoders": " ".join(entries[method].get("encoders", []))}
        for method in in_order(entries)
    ]
    table = pd.DataFrame(rows).reindex(columns=["method", "title", "family", "encoders", "source", "trains"])
    lines = [
        [
            Cell(text or GAP)
            for text in (
                row.title,
                row.family,
                row.encoders.upper().replace("VIT", "ViT").replace("UNET", "U-Net").replace(" ", ", "),
                row.source,
            )
        ]
        + [Cell(row.trains if isinstance(row.trains, str) else GAP)]
        for row in table.itertuples()
    ]
    header = ["Method", "Type", "Encoders", "Source", "Trains, besides the head"]
    note = "Selective methods train a subset of the network's parameters, additive ones new parameters."
    return table, Layout(header, {"": lines}, [note], left=len(header))


# How the published study ranks the methods of each table, from a table of F1 with one row a dataset and backbone.
RANKINGS = {
    "table2": (
        lambda f1: f1.mean(skipna=False).round(EXACT).rank(ascending=False, method="dense"),
        "Rank: of the average; equal averages share one.",
    ),
    "table3": (
        lambda f1: f1.round(EXACT).rank(axis="columns", ascending=False).mean(skipna=False),
        "Rank: mean of the ranks within each dataset and backbone, ties averaged.",
    ),
    "table5": (
        lambda f1: f1.mean(skipna=False).round(EXACT).rank(ascending=False, method="first"),
        "Rank: of the average, all different.",
    ),
}


def benchmark(name: str, material: Material) -> tuple[pd.DataFrame, Layout]:
    """F1 of every method on every dataset with all training images, beside the published values of table `name`."""
    cells = with_published(full_data(experiment(material, name)), material.published[name])
    datasets = list(dict.fromkeys(cells["dataset"]))
    header = ["Method", *map(plain, datasets)] + ["Average"] * (len(datasets) > 1) + ["Rank"]
    ranking, rank_note = RANKINGS[name]
    blocks = {
        backbone: _benchmark_block(rows, datasets, ranking) for backbone, rows in cells.groupby("backbone", sort=False)
    }
    if len(blocks) > 1:
        blocks["Mean over backbones"] = _benchmark_means(cells, datasets, ranking)
    notes = [SEEDS_NOTE]
    source = f"Dutt et al. 2024, table {name.removeprefix('table')}"
    if cells["published_f1"].notna().any():
        notes.append(
            f"Third line: the published F1 and the difference of ours from it ({source}); below averages and ranks, "
            "those of the published F1 of the same cells."
        )
    elif "published_resnet50" in cells and cells["published_resnet50"].notna().any():
        notes.append(f"Third line: the published F1 of ResNet-50 ({source}).")
    return cells, Layout(header, blocks, [*notes, rank_note, *_failure_notes(cells)])


def with_published(cells: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Add the published F1 of the same dataset, backbone and method, and the difference from it.

    Where the published table is that of ResNet-50, `published_resnet50` has its F1 beside every backbone.
    """
    same = published.rename(columns={"f1": "published_f1", "f1_std": "published_f1_std"})
    cells = cells.merge(same, on=["dataset", "backbone", "method"], how="left")
    cells = cells.assign(difference=cells["f1_micro"] - cells["published_f1"])
    resnet50 = published.loc[published["backbone"] == "resnet50", ["dataset", "method", "f1"]]
    if resnet50.empty:
        return cells
    return cells.merge(resnet50.rename(columns={"f1": "published_resnet50"}), on=["dataset", "method"], how="left")


def _f1_table(rows: pd.DataFrame, score: str = "f1_micro") -> pd.DataFrame:
    """Return the `score` of `rows` with one row a dataset and backbone, one column a method; gaps are nan."""
    table = rows.pivot(index=["dataset", "backbone"], columns="method", values=score)
    return table[in_order(table.columns)]


def _benchmark_block(rows: pd.DataFrame, datasets: list[str], ranking: Callable) -> list[list[Cell]]:
    f1, published = _f1_table(rows), _f1_table(rows, "published_f1")
    best = rows.groupby("dataset")["f1_micro"].max()
    by_cell = rows.set_index(["method", "dataset"])
    block = []
    for method in f1.columns:
        line = [Cell(style(method).label)]
        line += [_benchmark_cell(by_cell, (method, dataset), best.get(dataset, np.nan)) for dataset in datasets]
        block.append(line + _summary(f1, published, method, ranking, average=len(datasets) > 1))
    return block


def _benchmark_cell(by_cell: pd.DataFrame, key: tuple, best: float) -> Cell:
    cell = _at(by_cell, key, best)
    published = _published_line(by_cell.loc[key]) if key in by_cell.index else ""
    return cell._replace(below="\n".join(filter(None, [cell.below, published])))


def _published_line(row: pd.Series) -> str:
    if not np.isnan(row["published_f1"]):
        return _beside(row["published_f1"], row["difference"])
    other = row.get("published_resnet50", np.nan)
    return "" if np.isnan(other) else f"ResNet-50: {number(other, 2)}"


def _beside(published: float, difference: float) -> str:
    """Return a published score and the difference of ours from it; where either is missing it is left out."""
    if np.isnan(published):
        return ""
    return number(published, 2) + ("" if np.isnan(difference) else f" ({number(difference, sign=True)})")


def _benchmark_means(cells: pd.DataFrame, datasets: list[str], ranking: Callable) -> list[list[Cell]]:
    """Return the block of means over backbones, and the ranks over all datasets and backbones."""
    f1, published = _f1_table(cells), _f1_table(cells, "published_f1")
    return [
        [Cell(style(method).label)]
        + [_mean_cell(f1.xs(dataset), published.xs(dataset), method) for dataset in datasets]
        + _summary(f1, published, method, ranking, average=len(datasets) > 1)
        for method in f1.columns
    ]


def _summary(f1: pd.DataFrame, published: pd.DataFrame, method: str, ranking: Callable, average: bool) -> list[Cell]:
    """Return the last cells of a line: the average over `f1` where it is asked for, and the rank."""
    cells = [_mean_cell(f1, published, method)] if average else []
    return [*cells, _rank_cell(ranking(f1), ranking(published), method)]


def _mean_cell(f1: pd.DataFrame, published: pd.DataFrame, method: str) -> Cell:
    means, known = f1.mean(skipna=False), published[method].mean(skipna=False)
    mean = means[method]
    return Cell(number(mean), _beside(known, mean - known), bold=mean == means.max())


def _rank_cell(ranks: pd.Series, published: pd.Series, method: str) -> Cell:
    ours, theirs = (number(each[method], 0 if (each.dropna() % 1 == 0).all() else 2) for each in (ranks, published))
    return Cell(ours, "" if theirs == GAP else theirs)


def score_cell(row: pd.Series, metric: str, bold: bool = False) -> Cell:
    """Return mean ± standard deviation with the interval below; a gap where every run failed, a mark where some did."""
    if np.isnan(row[metric]):
        return Cell(GAP)
    spread = row.get(f"{metric}_std", np.nan)
    text = number(row[metric]) + ("" if np.isnan(spread) else f" ± {number(spread)}")
    mark = "†" if row["n_failed"] else ""
    return Cell(text + mark, interval(*(row.get(f"{metric}_{end}", np.nan) for end in ("low", "high"))), bold)


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
    """F1 of every method against the share of the training images, beside published values if there are any."""
    published = material.published["figure1"].rename(columns={"f1": "published_f1"})
    cells = experiment(material, "figure1").merge(published, on=CELL, how="left")
    cells = cells.assign(difference=cells["f1_micro"] - cells["published_f1"])
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
            + [_benchmark_cell(by_cell, (method, fraction), best.get(fraction, np.nan)) for fraction in fractions]
            for method in in_order(rows["method"])
        ]
    header = ["Method", *(percent(fraction) for fraction in fractions)]
    notes = [SEEDS_NOTE]
    if cells["published_f1"].notna().any():
        notes.append("Third line: the published F1, read off figure 1 of Dutt et al. 2024, and the difference of ours.")
    return cells, Layout(header, blocks, [*notes, *_failure_notes(cells)])


def _at(by_cell: pd.DataFrame, key: tuple, best: float) -> Cell:
    if key not in by_cell.index:
        return Cell(GAP)
    row = by_cell.loc[key]
    return score_cell(row, "f1_micro", bold=row["f1_micro"] == best)


def comparisons(material: Material) -> tuple[pd.DataFrame, Layout]:
    """Whether PEFT beats full fine-tuning: the best method of each case, and which differ significantly.

    Better and worse are judged by the p-values adjusted over all methods of the case. The best method is chosen
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
        f"Better, worse: every method that differs from full fine-tuning with an adjusted p below {SIGNIFICANT}."
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


def table4(material: Material) -> tuple[pd.DataFrame, Layout]:
    """FID of the images of every method against the share of the training pairs, beside the published values.

    `difference` is ours less the published one where dataset, pipeline and extractor are those of the published study.
    """
    cells = _with_published_fid(generation_scores(material.runs), material.published["table4"])
    fractions = sorted(cells["fraction"].unique(), reverse=True)
    blocks = {}
    for (dataset, backbone), rows in cells.groupby(["dataset", "backbone"], sort=False):
        sizes = rows.groupby("fraction")["n_train"].max()
        pairs = ", ".join(f"{sizes.get(fraction, 0):,.0f}" for fraction in fractions)
        best = rows.groupby("fraction")["fid"].min()
        by_cell = rows.set_index(["method", "fraction"])
        blocks[f"{plain(dataset)}, {backbone}; training pairs: {pairs}"] = [
            [Cell(style(method).label), *(_fid_cell(by_cell, (method, fraction), best) for fraction in fractions)]
            for method in in_order(rows["method"])
        ]
    header = ["Method", *(percent(fraction) for fraction in fractions)]
    notes = ["FID, mean ± standard deviation over seeds; below it KID, precision (P) and recall (R)."]
    notes += floor_notes(cells) + fid_warnings(cells)
    if cells["published_fid"].notna().any():
        notes.append(
            "Published: FID of Stable Diffusion on MIMIC-CXR, 1,000 test images (Dutt et al. 2024, table 4). It tells "
            "the order of the methods; its size compares with ours where dataset, pipeline, extractor and N agree."
        )
    return cells, Layout(header, blocks, [*notes, *_failure_notes(cells)])


def _with_published_fid(cells: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Add the published FID of the same method and fraction, and the difference of ours where all else is the same."""
    keys = ["method", "fraction"]
    beside = published[[*keys, "fid"]].rename(columns={"fid": "published_fid"})
    cells = cells.merge(beside, on=keys, how="left")
    same = cells[CELL].merge(published[CELL], on=CELL, how="left", indicator=True)["_merge"] == "both"
    same &= cells["feature_extractor"] == "inception"
    return cells.assign(difference=(cells["fid"] - cells["published_fid"]).where(same))


def floor_notes(cells: pd.DataFrame) -> list[str]:
    """Return what the FIDs on each dataset are to be read against: N, the features, and the floor."""
    return [
        f"{plain(row.dataset)}: N = {row.n_test:,.0f} generated images against as many real ones of the test set, in "
        f"the {row.features:,.0f} features of {row.feature_extractor}; floor: two halves of these real images "
        f"({row.floor_images:,.0f} each) have an FID of {number(row.floor_fid, 2)} and a KID of "
        f"{number(row.floor_kid, 4)} between them."
        for row in cells.drop_duplicates("dataset").itertuples()
    ]


def fid_warnings(cells: pd.DataFrame) -> list[str]:
    """Return a warning for each dataset on which FID is computed of too few images."""
    return [
        f"Beware of the FIDs on {plain(row.dataset)}: {row.n_test:,.0f} images are fewer than the "
        f"{row.features:,.0f} features. FID grows with the ratio of features to images even between samples of one "
        "distribution, and fewer images than features leave its covariances singular: compare methods on these "
        "images, and no FID with one of another N. KID has no such bias."
        for row in cells.drop_duplicates("dataset").itertuples()
        if too_few(row.n_test, row.features)
    ]


def _fid_cell(by_cell: pd.DataFrame, key: tuple, best: pd.Series) -> Cell:
    if key not in by_cell.index:
        return Cell(GAP)
    row = by_cell.loc[key]
    published = "" if np.isnan(row["published_fid"]) else f"published {number(row['published_fid'], 2)}"
    if not np.isnan(row["difference"]):
        published += f" ({number(row['difference'], 2, sign=True)})"
    if np.isnan(row["fid"]):
        return Cell(GAP, published)
    spread = "" if np.isnan(row["fid_std"]) else f" ± {number(row['fid_std'], 2)}"
    lines = [
        f"KID {number(row['kid'], 4)}",
        f"P {number(row['precision'], 2)}, R {number(row['recall'], 2)}",
        published,
    ]
    text = number(row["fid"], 2) + spread + ("†" if row["n_failed"] else "")
    return Cell(text, "\n".join(filter(None, lines)), bold=row["fid"] == best[key[1]])


def table6(material: Material) -> tuple[pd.DataFrame, Layout]:
    """Parameters of every method on every backbone; the head's are those of the study's first dataset."""
    table = material.parameters
    published = material.published["table6"].set_index(["backbone", "method"])["printed"]
    blocks = {}
    for backbone, group in table.groupby("backbone", sort=False):
        by_method = group.set_index("method")
        blocks[backbone] = [
            _parameters_line(method, by_method.loc[method], published.get((backbone, method), GAP))
            for method in in_order(group["method"])
        ]
    header = ["Method", "Trainable", "of it, head", "Total", "Trainable share", "Published"]
    notes = [
        "All counts include the head for the study's first dataset. Published: Dutt et al. 2024, table 6, where "
        "AdaptFormer has a tenth of what a bottleneck of 64 takes, which their figure 3 agrees with."
    ]
    if "stable_diffusion_v1_5" in blocks:
        notes.append(
            "Of Stable Diffusion the whole U-Net and its attention are printed with a tenth of the parameters that "
            "they have. A U-Net has no head."
        )
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
    """What a run costs: medians over the runs with all training images, as measured, and beside full fine-tuning.

    `time_ratio` and `memory_ratio` are the time of an image in training and the peak memory over those of full
    fine-tuning on the same images and network.
    """
    measures = ["train_seconds", "images_per_second", "peak_memory_bytes", "adapter_bytes"]
    cell = ["dataset", "backbone", "device"]
    tasks = [distinct(material.runs, task) for task in dict.fromkeys(material.runs["task"])]
    runs = pd.concat(map(full_data, tasks))
    table = runs.groupby([*cell[:2], "method", "device"], sort=False)[measures].median().reset_index()
    full = table[table["method"] == "full"].set_index(cell)
    beside = full.reindex(table.set_index(cell).index).reset_index()
    table["time_ratio"] = beside["images_per_second"] / table["images_per_second"]
    table["memory_ratio"] = table["peak_memory_bytes"] / beside["peak_memory_bytes"]
    blocks = {}
    for (dataset, backbone, device), rows in table.groupby(cell, sort=False):
        by_method = rows.set_index("method")
        blocks[f"{plain(dataset)}, {backbone}, on {device}"] = [
            _cost_line(method, by_method.loc[method]) for method in in_order(rows["method"])
        ]
    header = ["Method", "Training (s)", "Images per s", "Time / full", "Memory (MiB)", "Memory / full", "File (MiB)"]
    notes = [
        "Medians over runs; training time without evaluation. Memory: the peak of what training takes, weights "
        "included. Ratios: time of an image, and memory, over those of full fine-tuning. Linear probing sees features."
    ]
    return table, Layout(header, blocks, notes)


def _cost_line(method: str, row: pd.Series) -> list[Cell]:
    return [
        Cell(style(method).label),
        Cell(number(row["train_seconds"], 1)),
        Cell(number(row["images_per_second"], 0)),
        Cell(number(row["time_ratio"], 2)),
        Cell(number(row["peak_memory_bytes"] / 2**20, 0)),
        Cell(number(row["memory_ratio"], 2)),
        Cell(number(row["adapter_bytes"] / 2**20, 2)),
    ]


def learning_rates(material: Material) -> tuple[pd.DataFrame, Layout]:
    """The learning rate that the search chose for every method, and its multiple of that of full fine-tuning."""
    searches = [_search(key, trials, material.choices[key]) for key, trials in material.trials.items()]
    table = pd.DataFrame(searches, columns=SEARCH)
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
    header = ["Method", "Learning rate", "Times full's", "Validation score", "Trials", "At the edge"]
    return table, Layout(header, blocks, ["At the edge: the best trial was the lowest or the highest one tried."])


def _search(key: tuple[str, str, str], trials: pd.DataFrame, choice: dict) -> dict:
    rates = trials["learning_rate"]
    return dict(zip(SEARCH[:3], key, strict=True)) | {
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


def calibration(material: Material) -> tuple[pd.DataFrame, Layout]:
    """How far the predicted probabilities can be trusted, with all training images."""
    cells = full_data(experiment(material, *material.runs["experiment"].unique()))
    columns = {"f1_micro": "accuracy", "ece": "ece", "brier": "brier", "auroc": "auroc"}
    wanted = [*columns, *(f"{metric}_std" for metric in columns)]
    cells = cells.reindex(columns=[*CELL, "n_runs", "n_failed", *wanted])
    best = {"f1_micro": "max", "ece": "min", "brier": "min", "auroc": "max"}
    blocks = {}
    for (dataset, backbone), rows in cells.groupby(["dataset", "backbone"], sort=False):
        by_method, marked = rows.set_index("method"), rows.agg(best)
        blocks[f"{plain(dataset)}, {backbone}"] = [
            [Cell(style(method).label)]
            + [score_cell(row, metric, bold=row[metric] == marked[metric]) for metric in columns]
            for method, row in ((method, by_method.loc[method]) for method in in_order(rows["method"]))
        ]
    table = cells.rename(columns=columns | {f"{metric}_std": f"{name}_std" for metric, name in columns.items()})
    header = ["Method", "Accuracy", "ECE", "Brier score", "AUROC"]
    notes = ["Mean ± standard deviation over seeds. ECE (15 bins) and Brier score (0 to 2): lower is better."]
    return table, Layout(header, blocks, notes + _failure_notes(cells))


def ranks(material: Material) -> tuple[pd.DataFrame, Layout]:
    """Mean rank of every method over datasets and backbones, and its test against full fine-tuning."""
    tests = material.friedman.set_index(["encoder", "fraction"])
    blocks = {
        f"{_group_title(*group, rows)}. {friedman_words(tests.loc[group])}": [
            [
                Cell(style(row.method).label),
                Cell(number(row.mean_rank, 2), bold=row.mean_rank == rows["mean_rank"].min()),
                Cell(number(row.f1_micro)),
                Cell(number(row.p_value)),
                Cell(number(row.p_adjusted)),
            ]
            for row in rows.itertuples()
        ]
        for group, rows in material.ranks.groupby(["encoder", "fraction"], sort=False)
    }
    header = ["Method", "Mean rank", "Mean micro-F1", "p against full", "Adjusted p"]
    note = (
        "Ranks within each block (a dataset with a backbone), ties averaged. p: Wilcoxon's signed-rank test against "
        "full fine-tuning over blocks, adjusted by Holm's procedure."
    )
    return material.ranks, Layout(header, blocks, [note])


def _group_title(encoder: str, fraction: float, rows: pd.DataFrame) -> str:
    count = int(rows["blocks"].iloc[0])
    return f"{ENCODERS[encoder]}, {percent(fraction)}, {count} block{'' if count == 1 else 's'}"


def friedman_words(test: pd.Series) -> str:
    """Return the result of Friedman's test as a clause, or why there is none."""
    if test["status"] != "ok":
        return test["status"].capitalize()
    return (
        f"Friedman's test p {number(test['permutation_p_value'])} by permutation, {number(test['p_value'])} by "
        f"chi-square; critical difference {number(test['critical_difference'], 2)}"
    )


def recommendations(material: Material) -> tuple[pd.DataFrame, Layout]:
    """The best method for each kind of encoder and data size, and the cheapest that is not significantly worse."""
    table = material.recommendations
    blocks = {}
    for group, rows in table.groupby(["encoder", "fraction"], sort=False):
        count = f"{rows['not_worse'].iloc[0]:.0f} of {rows['candidates'].iloc[0]:.0f}"
        blocks[f"{_group_title(*group, rows)}; not significantly worse than the best: {count} others"] = [
            _choice_line(row) for row in rows.itertuples()
        ]
    header = ["Method", "Mean rank", "Micro-F1", "Adjusted p", "Trainable", "Memory (MiB)", "Time (s)", "File (MiB)"]
    note = (
        "Best: lowest mean rank over blocks (a dataset with a backbone). Cheapest: fewest trainable parameters among "
        "the best and those that are not significantly worse. Below micro-F1 (mean over blocks): the difference "
        "from the best with its 95 % interval, a paired bootstrap over test images and seeds, p adjusted by Holm's "
        "procedure; a small study has little power to find a method worse. Costs: medians over runs."
    )
    return table, Layout(header, blocks, [note])


def _choice_line(row) -> list[Cell]:
    gain = "" if np.isnan(row.difference) else f"{number(row.difference, sign=True)} "
    return [
        Cell(style(row.method).label, row.role),
        Cell(number(row.mean_rank, 2)),
        Cell(number(row.f1_micro), gain + interval(row.low, row.high, sign=True)),
        Cell(number(row.p_adjusted)),
        Cell(number(row.trainable_parameters, 0, group=True)),
        Cell(number(row.peak_memory_bytes / 2**20, 0)),
        Cell(number(row.train_seconds, 1)),
        Cell(number(row.adapter_bytes / 2**20, 2)),
    ]


def plain(name: str) -> str:
    """Return the name of a dataset as a reader sees it."""
    return name.replace("_", " ")


def percent(fraction: float) -> str:
    """Return a training fraction as per cent."""
    return f"{100 * fraction:g} %"


def leakage(material: Material) -> tuple[pd.DataFrame, Layout]:
    """Micro-F1 of every method under both protocols: how much of a score, and of a gain, is leakage.

    The interval of a difference follows from those of its two scores as if their test images were independent
    (Zou and Donner 2008, Statistics in Medicine 27:1693); shared images make it wider than it need be.
    """
    if sorted(material.splits) != ["grouped", "paper"]:
        raise UserError(
            f"this study and its counterpart are split by {' and '.join(material.splits)}, where one must be grouped "
            "and one paper: correct split.counterpart or split.protocol"
        )
    both = {}
    for protocol, scores in zip(material.splits, (material.scores, material.other_scores), strict=True):
        of_f1 = scores[scores["metric"] == "f1_micro"].set_index(CELL)
        both[protocol] = of_f1[["mean", "low", "high"]].add_suffix(f"_{protocol}")
    table = both["grouped"].join(both["paper"], how="inner").reset_index()
    table["difference"] = table["mean_paper"] - table["mean_grouped"]
    below = [table["mean_paper"] - table["low_paper"], table["high_grouped"] - table["mean_grouped"]]
    above = [table["high_paper"] - table["mean_paper"], table["mean_grouped"] - table["low_grouped"]]
    table["low"], table["high"] = table["difference"] - np.hypot(*below), table["difference"] + np.hypot(*above)
    full = table[table["method"] == "full"]
    case = ["dataset", "backbone", "fraction"]
    full = table[case].merge(full[[*case, "mean_grouped", "mean_paper"]], on=case, how="left")
    for protocol in both:
        table[f"gain_{protocol}"] = table[f"mean_{protocol}"] - full[f"mean_{protocol}"].to_numpy()
    blocks = {
        f"{plain(dataset)}, {backbone}, {percent(fraction)}": [
            _leakage_line(rows[rows["method"] == method].iloc[0]) for method in in_order(rows["method"])
        ]
        for (dataset, backbone, fraction), rows in table.groupby(case, sort=False)
    }
    header = ["Method", "Grouped", "Paper", "Paper less grouped", "Gain over full, grouped", "Gain over full, paper"]
    note = (
        "Micro-F1, mean over seeds with its 95 % bootstrap interval over test images. Grouped keeps a patient and all "
        "duplicates on one side, paper does not: what it scores more may be leakage, and chance where the interval "
        "holds 0."
    )
    return table, Layout(header, blocks, [note])


def _leakage_line(row: pd.Series) -> list[Cell]:
    scores = [
        Cell(number(row[f"mean_{protocol}"]), interval(row[f"low_{protocol}"], row[f"high_{protocol}"]))
        for protocol in ("grouped", "paper")
    ]
    difference = Cell(number(row["difference"], sign=True), interval(row["low"], row["high"], sign=True))
    gains = [Cell(number(row[f"gain_{protocol}"], sign=True)) for protocol in ("grouped", "paper")]
    return [Cell(style(row["method"]).label), *scores, difference, *gains]


def memorisation(material: Material) -> tuple[pd.DataFrame, Layout]:
    """How many generated images of every method are copies of training images, beside what chance makes of real ones.

    `memorised` is the mean over the seeds that did not fail; `generated` how many images of each were looked at.
    """
    runs = pd.DataFrame([_cell(key) | facts for key, facts in material.memorisations.items()])
    numbers = ["memorised", "by_chance", "generated", "training"]
    table = _over_seeds(runs.astype(dict.fromkeys(numbers, float)), CELL, numbers, "memorised")
    blocks = {
        f"{_case(*case)}; training images: {number(rows['training'].max(), 0, group=True)}": [
            [
                Cell(style(row.method).label),
                _share_cell(row.memorised, row.memorised_std, row.n_failed),
                Cell(_in_percent(row.by_chance)),
                Cell(number(row.generated, 0, group=True)),
            ]
            for row in _in_order(rows).itertuples()
        ]
        for case, rows in table.groupby(["dataset", "backbone", "fraction"], sort=False)
    }
    note = (
        "Flagged: generated images that are nearer to a training image, in a comparison made for copies, than all but "
        "the nearest real test images are, which are no copies; mean ± standard deviation over seeds. By chance: the "
        "share of images that are no copies which this flags. Flagged images are to be looked at: memorisation.png of "
        "each run shows the nearest pairs."
    )
    return table, Layout(["Method", "Flagged", "By chance", "Images a run"], blocks, [note, *_failure_notes(table)])


def downstream(material: Material) -> tuple[pd.DataFrame, Layout]:
    """How well a classifier tells real test images apart that was trained on real, generated, or both images."""
    runs = pd.concat([scores.assign(**_cell(key)) for key, scores in material.downstreams.items()])
    scores = ["f1_micro", "f1_macro", "auroc"]
    table = _over_seeds(runs, [*CELL, "trained_on"], [*scores, "n_train"], "f1_micro")
    header = {"real": "Real", "generated": "Generated", "both": "Both"}
    blocks = {}
    for case, rows in table.groupby(["dataset", "backbone", "fraction"], sort=False):
        sizes = rows.groupby("trained_on")["n_train"].max()
        best = rows.groupby("trained_on")["f1_micro"].max()
        cells = rows.set_index(["method", "trained_on"])
        title = f"{_case(*case)}; images: {sizes['real']:,.0f} real, {sizes['generated']:,.0f} generated"
        blocks[title] = [
            [Cell(style(method).label)]
            + [
                _downstream_cell(
                    cells.loc[(method, name)], name != "real" and cells.at[(method, name), "f1_micro"] == best[name]
                )
                for name in header
            ]
            for method in in_order(rows["method"])
        ]
    note = (
        "Micro-F1 on the real test images, mean ± standard deviation over seeds, below it macro-F1 and area under the "
        "curve, of a logistic regression on frozen features, trained on the real images that the pipeline was tuned "
        "on, on images that it then generated for their captions, or on both."
    )
    failed = table[table["trained_on"] == "generated"]
    return table, Layout(["Method", *header.values()], blocks, [note, *_failure_notes(failed)])


def _cell(key: tuple[str, ...]) -> dict:
    """Return what the path of a run says of it."""
    return dict(zip([*CELL, "seed"], key, strict=True)) | {"fraction": float(key[3])}


def _over_seeds(runs: pd.DataFrame, keys: list[str], numbers: list[str], score: str) -> pd.DataFrame:
    """Return one row a value of `keys`: the mean of `numbers`, standard deviation of `score`, runs and failed ones."""
    groups = runs.groupby(keys, sort=False)
    counts = groups[score].agg(n_runs="size", n_failed=lambda values: int(values.isna().sum()))
    return groups[numbers].mean().join(groups[score].std().rename(f"{score}_std")).join(counts).reset_index()


def _case(dataset: str, backbone: str, fraction: float) -> str:
    return f"{plain(dataset)}, {backbone}, {percent(fraction)}"


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.set_index("method").loc[in_order(rows["method"])].reset_index()


def _in_percent(share: float) -> str:
    return GAP if np.isnan(share) else f"{number(100 * share, 1)} %"


def _share_cell(mean: float, spread: float, failed: int) -> Cell:
    if np.isnan(mean):
        return Cell(GAP)
    text = number(100 * mean, 1) + ("" if np.isnan(spread) else f" ± {number(100 * spread, 1)}")
    return Cell(f"{text} %" + ("†" if failed else ""))


def _downstream_cell(row: pd.Series, bold: bool) -> Cell:
    if np.isnan(row["f1_micro"]):
        return Cell(GAP)
    spread = "" if np.isnan(row["f1_micro_std"]) else f" ± {number(row['f1_micro_std'])}"
    below = f"{number(row['f1_macro'])}; {number(row['auroc'])}"
    return Cell(number(row["f1_micro"]) + spread + ("†" if row["n_failed"] else ""), below, bold)


TABLES: dict[str, Callable[[Material], tuple[pd.DataFrame, Layout]]] = {
    "table1": table1,
    "table2": partial(benchmark, "table2"),
    "table3": partial(benchmark, "table3"),
    "table4": table4,
    "memorisation": memorisation,
    "downstream": downstream,
    "table5": partial(benchmark, "table5"),
    "table6": table6,
    "comparisons": comparisons,
    "leakage": leakage,
    "low_data": low_data,
    "ranks": ranks,
    "recommendations": recommendations,
    "calibration": calibration,
    "learning_rates": learning_rates,
    "costs": costs,
}
