"""Rows, cells and notes that several tables have."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import GAP, Cell, interval, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.words import plain
from medpeft.base.frames import each_group, each_row
from medpeft.base.runs import Search

FAILED, BLIND = "†", "§"  # marks of a score: runs of the cell failed; its learning rate was chosen blindly
SEEDS_NOTE = (
    "Mean ± standard deviation over seeds; in brackets, the 95 % interval over training seeds and test images, where "
    "there is a single seed over test images alone."
)


def over_seeds(runs: pd.DataFrame, keys: list[str], numbers: list[str], score: str) -> pd.DataFrame:
    """Return one row a value of `keys`: the mean of `numbers`, standard deviation of `score`, runs and failed ones."""
    groups = runs.groupby(keys, sort=False)
    counts = groups[score].agg(n_runs="size", n_failed=lambda values: int(values.isna().sum()))
    return groups[numbers].mean().join(groups[score].std().rename(f"{score}_std")).join(counts).reset_index()


def rows_in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `rows`, one a method, in the order in which tables show methods."""
    return rows.set_index("method").loc[in_order(rows["method"])].reset_index()


def score_at(by_cell: pd.DataFrame, key: tuple, metric: str, best: float) -> Cell:
    """Return the `metric` at `key` of the index, bold where it is the `best`; a gap where there is no such cell."""
    if key not in by_cell.index:
        return Cell(GAP)
    row = by_cell.loc[key]
    return score_cell(row, metric, bold=row[metric] == best)


def score_cell(row: pd.Series, metric: str, bold: bool = False) -> Cell:
    """Return mean ± standard deviation with the interval below; a gap where every run failed, a mark where some did."""
    if np.isnan(row[metric]):
        return Cell(GAP)
    spread = row.get(f"{metric}_std", np.nan)
    text = number(row[metric]) + ("" if np.isnan(spread) else f" ± {number(spread)}")
    mark = FAILED * bool(row["n_failed"]) + BLIND * bool(row.get("blind", False))
    return Cell(text + mark, interval(*(row.get(f"{metric}_{end}", np.nan) for end in ("low", "high"))), bold)


def failure_notes(cells: pd.DataFrame) -> list[str]:
    """Return the note that names the cells with failed runs, none where there are none."""
    failed = cells[cells["n_failed"] > 0]
    if failed.empty:
        return []
    cases = [
        f"{style(row.method).label} on {plain(row.dataset)}, {row.backbone}: {row.n_failed} of {row.n_runs}"
        for row in each_row(failed)
    ]
    return [f"{FAILED} Failed runs, left out of the mean ({GAP} where all failed): {'; '.join(cases)}."]


def with_blind(cells: pd.DataFrame, searches: Mapping[Search, tuple[pd.DataFrame, dict]]) -> pd.DataFrame:
    """Return `cells` with the column `blind`: whether a search was blind that gave its runs their learning rate."""
    blind = [search for search, (_, choice) in searches.items() if choice["blind"]]
    found = [
        any(
            search[:3] == (cell.dataset, cell.backbone, cell.method)
            and (search.fraction is None or float(search.fraction) == cell.fraction)
            for search in blind
        )
        for cell in each_row(cells)
    ]
    return cells.assign(blind=np.array(found, dtype=bool))


def blind_notes(cells: pd.DataFrame) -> list[str]:
    """Return the note that names the `cells` whose learning rate was chosen blindly, none where there are none.

    Args:
        cells: One row a cell or a search, with the columns dataset, backbone, method and blind.
    """
    if not cells["blind"].any():
        return []
    return [
        f"{BLIND} Learning rate chosen blindly: the best score of the search was no more than chance above that of "
        "always answering the most frequent class, or all its scores were equal: "
        f"{methods_by_case(cells[cells['blind']])}."
    ]


def methods_by_case(cells: pd.DataFrame) -> str:
    """Return the methods of `cells` by dataset and backbone, as `busi, resnet50 (SSF, LoRA); chest, resnet50 (SSF)`."""
    return "; ".join(
        f"{plain(dataset)}, {backbone} ({', '.join(style(method).label for method in in_order(rows['method']))})"
        for (dataset, backbone), rows in each_group(cells, ["dataset", "backbone"])
    )
