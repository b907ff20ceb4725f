"""The score of every method on every dataset with all images, beside the published F1: tables 2, 3 and 5."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from medpeft.artefacts.cells import SEEDS_NOTE, blind_notes, failure_notes, with_blind
from medpeft.artefacts.markup import GAP, Cell, Layout, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.parts.majority import floor_notes, floor_rows, with_floor
from medpeft.artefacts.parts.published import beside, published_cell, published_f1
from medpeft.artefacts.selection import experiment, full_data
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import plain
from medpeft.base.frames import each_group
from medpeft.statistics.metrics import METRICS

EXACT = 12  # decimals: equal averages are to tie whatever order they were summed in
Ranking = Callable[[pd.DataFrame], pd.Series]  # of scores of which more is better


def benchmark(name: str, sources: Sources, ranking: Ranking, rank_note: str) -> tuple[pd.DataFrame, Layout]:
    """The score of every method on every dataset with all images, beside the published F1 of table `name`."""
    metric = sources.primary
    cells = with_published(full_data(experiment(sources, name)), published_f1(sources, name), metric)
    cells = with_blind(cells, sources.searches)
    datasets = list(dict.fromkeys(cells["dataset"]))
    header = ["Method", *map(plain, datasets)] + ["Average"] * (len(datasets) > 1) + ["Rank"]
    ranked = _Ranked(metric, ranking, average=len(datasets) > 1)
    groups = {backbone: ranked.rows_of_backbone(rows, datasets) for backbone, rows in each_group(cells, "backbone")}
    floors = [(dataset, metric) for dataset in datasets]
    for lines in groups.values():
        lines.extend(floor_rows(sources, floors, empty=len(header) - 1 - len(datasets)))
    if len(groups) > 1:
        groups["Mean over backbones"] = ranked.mean_rows(cells, datasets)
    cells = with_floor(cells, sources, metric)
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


def with_published(cells: pd.DataFrame, published: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Add the published F1 of the same dataset, backbone and method, and the difference of our `metric` from it.

    Where the published table is that of ResNet-50, `published_resnet50` has its F1 beside every backbone.
    """
    same = published.rename(columns={"f1_std": "published_f1_std"})
    cells = cells.merge(same, on=["dataset", "backbone", "method"], how="left")
    cells = cells.assign(difference=cells[metric] - cells["published_f1"])
    resnet50 = published.loc[published["backbone"] == "resnet50", ["dataset", "method", "published_f1"]]
    if resnet50.empty:
        return cells
    resnet50 = resnet50.rename(columns={"published_f1": "published_resnet50"})
    return cells.merge(resnet50, on=["dataset", "method"], how="left")


class _Ranked(NamedTuple):
    """How the lines of a table are made.

    Attributes:
        metric: The score that they show.
        ranking: Ranks the methods.
        average: Whether each ends with an average over datasets, before its rank.
    """

    metric: str
    ranking: Ranking
    average: bool

    def rows_of_backbone(self, rows: pd.DataFrame, datasets: list[str]) -> list[list[Cell]]:
        """Return the lines of one backbone, one a method."""
        ours, published = _wide(rows, self.metric), _wide(rows, "published_f1")
        best = rows.groupby("dataset")[self.metric].agg(METRICS[self.metric].best)
        by_cell = rows.set_index(["method", "dataset"])
        lines = []
        for method in ours.columns:
            cells = [
                published_cell(by_cell, (method, dataset), self.metric, best.get(dataset, np.nan))
                for dataset in datasets
            ]
            lines.append([Cell(style(method).label), *cells, *self._summary(ours, published, method)])
        return lines

    def mean_rows(self, cells: pd.DataFrame, datasets: list[str]) -> list[list[Cell]]:
        """Return the group of means over backbones, and the ranks over all datasets and backbones."""
        ours, published = _wide(cells, self.metric), _wide(cells, "published_f1")
        return [
            [Cell(style(method).label)]
            + [self._mean(ours.loc[dataset], published.loc[dataset], method) for dataset in datasets]
            + self._summary(ours, published, method)
            for method in ours.columns
        ]

    def _summary(self, ours: pd.DataFrame, published: pd.DataFrame, method: str) -> list[Cell]:
        """Return the last cells of a line: the average over `ours` where it is asked for, and the rank."""
        cells = [self._mean(ours, published, method)] if self.average else []
        ranks = self.ranking(METRICS[self.metric].sign * ours)
        return [*cells, _rank_cell(ranks, self.ranking(published), method)]

    def _mean(self, ours: Any, published: Any, method: str) -> Cell:
        """Return the mean of `method` over tables of one row a dataset and backbone, bold where it is the best."""
        means, known = ours.mean(skipna=False), published[method].mean(skipna=False)
        mean = means[method]
        return Cell(number(mean), beside(known, mean - known), bold=mean == means.agg(METRICS[self.metric].best))


def _wide(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return the `score` of `rows` with one row a dataset and backbone, one column a method; gaps are nan."""
    table = rows.pivot(index=["dataset", "backbone"], columns="method", values=score)
    return table[in_order(table.columns)]


def _rank_cell(ranks: pd.Series, published: pd.Series, method: str) -> Cell:
    ours, theirs = (number(each[method], 0 if (each.dropna() % 1 == 0).all() else 2) for each in (ranks, published))
    return Cell(ours, "" if theirs == GAP else theirs)
