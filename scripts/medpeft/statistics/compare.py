"""Which method is better, and how sure that is: the scores of all cells, and the tables of differences."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medpeft.base.files import read_table
from medpeft.base.runs import CELL, Run
from medpeft.statistics.bootstrap import Bootstrap, Draws, ScoredCell, interval, mean_over_seeds, p_value
from medpeft.statistics.collect import distinct, runs_in
from medpeft.statistics.contrasts import contrasts
from medpeft.statistics.crossovers import crossovers
from medpeft.statistics.metrics import shown_in
from medpeft.statistics.significance import BASELINE, holm

COMPARISON_COLUMNS = [*CELL, "metric", "difference", "low", "high", "p_value", "seeds_won", "seeds_compared"]


class Results(NamedTuple):
    """The tables of `compare`; see `crossovers.crossovers` and `contrasts.contrasts` for the last two.

    Attributes:
        scores: For each cell and metric n_train, n_runs, n_failed, mean, std (over seeds, ddof 1, empty for a single
            run) and for metrics with an interval its bounds low, high.
        comparisons: Each method against full fine-tuning, for each cell and metric with an interval: difference (over
            the seeds that both have), its paired interval low, high, p_value (two-sided bootstrap), p_adjusted (Holm,
            over the methods on one dataset, backbone and fraction), seeds_won of seeds_compared.
        crossovers: Where full fine-tuning overtakes each method as training images are added.
        contrasts: Every method against every other one, averaged over blocks.
    """

    scores: pd.DataFrame
    comparisons: pd.DataFrame
    crossovers: pd.DataFrame
    contrasts: pd.DataFrame


def compare(runs: pd.DataFrame, read: Callable[[Run], pd.DataFrame]) -> Results:
    """Return the scores of every cell, the means over the seeds that did not fail, and how the methods differ.

    Args:
        runs: Rows of `runs.csv`.
        read: Returns the predictions of a run.

    Raises:
        UserError: Runs on one dataset have different test sets.
    """
    runs = distinct(runs)
    draws: Draws = {}
    for dataset, of_dataset in runs[runs["status"] == "ok"].groupby("dataset", sort=False):
        bootstrap = Bootstrap(str(dataset))
        for _, of_cell in of_dataset.groupby(CELL, sort=False):
            seeds = runs_in(of_cell)
            scores = bootstrap.scores({int(run.seed): read(run) for run in seeds})
            draws |= {ScoredCell.of(seeds[0], metric): drawn for metric, drawn in scores.items()}
    return Results(_scores(runs, draws), _comparisons(draws), crossovers(draws), contrasts(draws))


def reader(predictions: Iterable[str | Path]) -> Callable[[Run], pd.DataFrame]:
    """Return a function that reads the predictions of a run, from the paths of those of all runs."""
    files = {Run.of(path): path for path in predictions}
    return lambda run: read_table(files[run])


def _scores(runs: pd.DataFrame, draws: Draws) -> pd.DataFrame:
    key = [*CELL, "metric"]
    intervals = pd.DataFrame(
        [(*cell, *interval(scores.mean(axis=0).to_numpy()).values()) for cell, scores in draws.items()],
        columns=[*key, "low", "high"],
    )
    long = runs.melt([*CELL, "family", "n_train", "status"], shown_in("scores"), "metric", "value")
    table = (
        long.groupby(key, sort=False)
        .agg(
            family=("family", "first"),
            n_train=("n_train", "max"),
            n_runs=("status", "size"),
            n_failed=("status", lambda status: int((status != "ok").sum())),
            mean=("value", "mean"),
            std=("value", "std"),
        )
        .reset_index()
    )
    return table.merge(intervals.astype(table[key].dtypes), on=key, how="left")  # types, where there are no rows


def _comparisons(draws: Draws) -> pd.DataFrame:
    """Return the row of every cell and metric whose baseline has seeds in common with it."""
    rows = []
    for cell, scores in draws.items():
        baseline = draws.get(cell._replace(method=BASELINE))
        if cell.method == BASELINE or baseline is None:
            continue
        gains = (scores - baseline.reindex(scores.index)).dropna()
        if gains.empty:
            continue
        difference = mean_over_seeds(cell.dataset, gains.to_numpy())
        rows.append(
            cell._asdict()
            | {"difference": difference[0], **interval(difference), "p_value": p_value(difference)}
            | {"seeds_won": int((gains[0] > 0).sum()), "seeds_compared": len(gains)}
        )
    table = pd.DataFrame(rows, columns=COMPARISON_COLUMNS)
    family = table.groupby(["dataset", "backbone", "fraction", "metric"])["p_value"]
    table.insert(COMPARISON_COLUMNS.index("p_value") + 1, "p_adjusted", family.transform(holm))
    return table
