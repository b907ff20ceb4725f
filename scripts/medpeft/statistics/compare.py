"""Which method is better, and how sure that is: the scores of all cells, and the tables of differences."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medpeft.base.files import read_table
from medpeft.base.runs import CELL, Run
from medpeft.statistics.bootstrap import Bootstrap, ScoredCell, Scores, SeedScores
from medpeft.statistics.collect import distinct, runs_in
from medpeft.statistics.crossovers import crossovers
from medpeft.statistics.metrics import METRICS, shown_in
from medpeft.statistics.overall import overall
from medpeft.statistics.significance import ASSESSED, BASELINE, DECIDED, NEEDED, assess, decide, needs

FAMILY = ["dataset", "backbone", "fraction", "metric"]  # what the comparisons of one family have in common
COMPARISON_COLUMNS = [*CELL, "metric", "primary", "margin", *ASSESSED, *DECIDED, *NEEDED, "seeds_won", "seeds_compared"]


class Question(NamedTuple):
    """What a study asks of its methods.

    Attributes:
        primary: The metric that decides.
        margin: The difference in it that does not matter.
        own_splits: Whether every training seed has a split of its own.
    """

    primary: str
    margin: float
    own_splits: bool = False


class Results(NamedTuple):
    """The tables of `compare`; see `crossovers.crossovers` and `overall.overall` for the last two.

    Attributes:
        scores: For each cell and metric n_train, n_runs, n_failed, mean, std (over seeds, ddof 1, empty for a single
            run) and for metrics with an interval its bounds low, high, over seeds and test images; of a single run over
            test images alone.
        comparisons: Each method against full fine-tuning, for each cell and metric with an interval: primary (whether
            the metric decides), margin, what `significance` tests, decides and needs, the family being the methods on
            one dataset, backbone and fraction; seeds_won of seeds_compared. Only of the primary metric is an outcome
            decided.
        crossovers: Where full fine-tuning overtakes each method as training images are added.
        overall: Each method against full fine-tuning over all datasets.
    """

    scores: pd.DataFrame
    comparisons: pd.DataFrame
    crossovers: pd.DataFrame
    overall: pd.DataFrame


def compare(runs: pd.DataFrame, read: Callable[[Run], pd.DataFrame], question: Question) -> Results:
    """Return the scores of every cell, the means over the seeds that did not fail, and how the methods differ.

    Args:
        runs: Rows of `runs.csv`.
        read: Returns the predictions of a run.
        question: Which metric decides, and what difference matters.

    Raises:
        UserError: Runs on one dataset have different test sets, and the study has one split for all seeds.
    """
    runs = distinct(runs)
    scores: Scores = {}
    for dataset, of_dataset in runs[runs["status"] == "ok"].groupby("dataset", sort=False):
        scores |= _scores_of(str(dataset), of_dataset, read, question.own_splits)
    primary = {cell: found for cell, found in scores.items() if cell.metric == question.primary}
    comparisons = _comparisons(scores, question)
    return Results(
        _scores(runs, scores), comparisons, crossovers(primary, comparisons), overall(primary, question.margin)
    )


def reader(predictions: Iterable[str | Path]) -> Callable[[Run], pd.DataFrame]:
    """Return a function that reads the predictions of a run, from the paths of those of all runs."""
    files = {Run.of(path): path for path in predictions}
    return lambda run: read_table(files[run])


def _scores_of(dataset: str, runs: pd.DataFrame, read: Callable[[Run], pd.DataFrame], own_splits: bool) -> Scores:
    """Return the scores of the cells of one dataset; with `own_splits` each seed has a test set of its own."""
    bootstraps: dict[str, Bootstrap] = {}
    scores: Scores = {}
    for _, of_cell in runs.groupby(CELL, sort=False):
        seeds = runs_in(of_cell)
        found = {}
        for run in seeds:
            key = run.seed if own_splits else ""
            bootstrap = bootstraps.setdefault(key, Bootstrap(dataset, 0) if own_splits else Bootstrap(dataset))
            found[int(run.seed)] = bootstrap.scores(read(run))
        sizes = of_cell[["n_test", "n_train"]].mean() if own_splits else None
        share = None if sizes is None else float(sizes["n_test"] / sizes["n_train"])
        for metric in next(iter(found.values())):
            draws = pd.DataFrame({seed: each[metric] for seed, each in found.items()}).T
            scores[ScoredCell.of(seeds[0], metric)] = SeedScores(draws, bootstrap.size, share)
    return scores


def _scores(runs: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    key = [*CELL, "metric"]
    intervals = pd.DataFrame(
        [(*cell, *found.estimate().interval(METRICS[cell.metric].bounds)) for cell, found in scores.items()],
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


def _comparisons(scores: Scores, question: Question) -> pd.DataFrame:
    """Return the row of every cell and metric whose baseline has seeds in common with it."""
    families: dict[tuple, dict[ScoredCell, SeedScores]] = {}
    for cell, found in scores.items():
        baseline = scores.get(cell._replace(method=BASELINE))
        gains = None if cell.method == BASELINE or baseline is None else found.less(baseline)
        if gains is not None and len(gains.draws):
            families.setdefault(tuple(getattr(cell, name) for name in FAMILY), {})[cell] = gains
    tables = [_family(gains, question) for gains in families.values()]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return table.reindex(columns=COMPARISON_COLUMNS)


def _family(gains: dict[ScoredCell, SeedScores], question: Question) -> pd.DataFrame:
    """Return the rows of the comparisons of one family, with an outcome where its metric is the primary one."""
    rows = []
    for cell, found in gains.items():
        estimate, metric = found.estimate(), METRICS[cell.metric]
        won = found.draws[0] * (1 if metric.higher_is_better else -1) > 0
        rows.append(
            cell._asdict()
            | {"primary": cell.metric == question.primary, "margin": question.margin}
            | assess(estimate, question.margin, metric.higher_is_better)
            | needs(estimate, question.margin, len(gains))
            | {"seeds_won": int(won.sum()), "seeds_compared": len(won)}
        )
    table = pd.DataFrame(rows)
    return decide(table, metric.higher_is_better) if table["primary"].all() else table.drop(columns=_TESTS)


_TESTS = ["p_value", "p_not_inferior", "p_equivalent", *NEEDED]  # that a metric besides the primary one does not have
