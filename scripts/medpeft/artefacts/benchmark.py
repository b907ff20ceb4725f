"""F1 of every method on every dataset with all training images, beside the published values: tables 2, 3 and 5."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from medpeft.artefacts.cells import SEEDS_NOTE, blind_notes, failure_notes, with_blind
from medpeft.artefacts.floor import floor_notes, floor_rows, with_floor
from medpeft.artefacts.markup import GAP, Cell, Layout, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.published import beside, published_cell
from medpeft.artefacts.selection import experiment, full_data
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import plain
from medpeft.base.frames import each_group

EXACT = 12  # decimals: equal averages are to tie whatever order they were summed in
Ranking = Callable[[pd.DataFrame], pd.Series]


def benchmark(name: str, sources: Sources, ranking: Ranking, rank_note: str) -> tuple[pd.DataFrame, Layout]:
    """F1 of every method on every dataset with all training images, beside the published values of table `name`."""
    cells = with_published(full_data(experiment(sources, name)), sources.published[name])
    cells = with_blind(cells, sources.searches)
    datasets = list(dict.fromkeys(cells["dataset"]))
    header = ["Method", *map(plain, datasets)] + ["Average"] * (len(datasets) > 1) + ["Rank"]
    groups = {backbone: _rows_of_backbone(rows, datasets, ranking) for backbone, rows in each_group(cells, "backbone")}
    floors = [(dataset, "f1_micro") for dataset in datasets]
    for lines in groups.values():
        lines.extend(floor_rows(sources, floors, empty=len(header) - 1 - len(datasets)))
    if len(groups) > 1:
        groups["Mean over backbones"] = _mean_rows(cells, datasets, ranking)
    cells = with_floor(cells, sources, "f1_micro")
    notes = [SEEDS_NOTE, *floor_notes(sources)]
    source = f"Dutt et al. 2024, table {name.removeprefix('table')}"
    if cells["published_f1"].notna().any():
        notes.append(
            f"Third in a cell: the published F1 and the difference of ours from it ({source}); beside averages and "
            "ranks, those of the published F1 of the same cells."
        )
    elif "published_resnet50" in cells and cells["published_resnet50"].notna().any():
        notes.append(f"Third in a cell: the published F1 of ResNet-50 ({source}).")
    return cells, Layout(header, groups, [*notes, rank_note, *failure_notes(cells), *blind_notes(cells)])


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


def _rows_of_backbone(rows: pd.DataFrame, datasets: list[str], ranking: Ranking) -> list[list[Cell]]:
    f1, published = _f1_table(rows), _f1_table(rows, "published_f1")
    best = rows.groupby("dataset")["f1_micro"].max()
    by_cell = rows.set_index(["method", "dataset"])
    lines = []
    for method in f1.columns:
        line = [Cell(style(method).label)]
        line += [published_cell(by_cell, (method, dataset), best.get(dataset, np.nan)) for dataset in datasets]
        lines.append(line + _summary(f1, published, method, ranking, average=len(datasets) > 1))
    return lines


def _mean_rows(cells: pd.DataFrame, datasets: list[str], ranking: Ranking) -> list[list[Cell]]:
    """Return the group of means over backbones, and the ranks over all datasets and backbones."""
    f1, published = _f1_table(cells), _f1_table(cells, "published_f1")
    return [
        [Cell(style(method).label)]
        + [_mean_cell(f1.loc[dataset], published.loc[dataset], method) for dataset in datasets]
        + _summary(f1, published, method, ranking, average=len(datasets) > 1)
        for method in f1.columns
    ]


def _summary(f1: pd.DataFrame, published: pd.DataFrame, method: str, ranking: Ranking, average: bool) -> list[Cell]:
    """Return the last cells of a line: the average over `f1` where it is asked for, and the rank."""
    cells = [_mean_cell(f1, published, method)] if average else []
    return [*cells, _rank_cell(ranking(f1), ranking(published), method)]


def _mean_cell(f1: Any, published: Any, method: str) -> Cell:
    """Return the mean F1 of `method` over tables of one row a dataset and backbone, bold where it is the best."""
    means, known = f1.mean(skipna=False), published[method].mean(skipna=False)
    mean = means[method]
    return Cell(number(mean), beside(known, mean - known), bold=mean == means.max())


def _rank_cell(ranks: pd.Series, published: pd.Series, method: str) -> Cell:
    ours, theirs = (number(each[method], 0 if (each.dropna() % 1 == 0).all() else 2) for each in (ranks, published))
    return Cell(ours, "" if theirs == GAP else theirs)
