"""Which method is better, and how sure that is: the scores of all cells, and the tables of differences."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medpeft.base.files import read_table
from medpeft.base.runs import CELL, Run
from medpeft.data.labels import MULTI_CLASS, LabelKind, Labels
from medpeft.statistics.bootstrap import RESAMPLES, Bootstrap, ScoredCell, Scores, SeedScores
from medpeft.statistics.collect import distinct, runs_in
from medpeft.statistics.crossovers import crossovers
from medpeft.statistics.metrics import METRICS, shown_in, with_interval
from medpeft.statistics.overall import overall
from medpeft.statistics.significance import ASSESSED, BASELINE, DECIDED, NEEDED, assess, decide, needs

FAMILY = ["dataset", "backbone", "fraction", "metric"]  # what the comparisons of one family have in common
COMPARISON_COLUMNS = [*CELL, "metric", "primary", "margin", *ASSESSED, *DECIDED, *NEEDED, "seeds_won", "seeds_compared"]


TESTS = ["p_value", "p_not_inferior", "p_equivalent"]  # that a metric besides the primary one does not have


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

    @property
    def compared(self) -> list[str]:
        """The metrics in which methods are compared, the primary one among them."""
        return list(dict.fromkeys([self.primary, *shown_in("comparisons")]))

    @property
    def shown(self) -> list[str]:
        """The metrics whose scores are shown, the primary one among them."""
        return list(dict.fromkeys([*shown_in("scores"), self.primary]))

    def resampled(self, kind: LabelKind) -> list[str]:
        """Return the metrics that get an interval: those compared or shown that are defined for a `kind` of labels.

        What needs thresholds or a temperature is left to `medpeft.statistics.classwise`, which reads validation.
        """
        defined = with_interval(kind)
        names = dict.fromkeys([*self.compared, *self.shown])
        return [name for name in names if name in defined and not METRICS[name].needs_validation]


class Results(NamedTuple):
    """The tables of `compare`; see `crossovers.crossovers` and `overall.overall` for the last two.

    Attributes:
        scores: For each cell and metric n_train, n_runs, n_failed, mean, std (over seeds, ddof 1, empty for a single
            run) and its bounds low, high over seeds and test images, for a metric that has an interval and needs
            nothing of validation; of a single run over test images alone.
        comparisons: Each method against full fine-tuning, for each cell and metric that is compared: primary (whether
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


def compare(
    runs: pd.DataFrame,
    read: Callable[[Run], pd.DataFrame],
    question: Question,
    labels: Mapping[str, Labels] | None = None,
) -> Results:
    """Return the scores of every cell, the means over the seeds that did not fail, and how the methods differ.

    Args:
        runs: Rows of `runs.csv`.
        read: Returns the predictions of a run.
        question: Which metric decides, and what difference matters.
        labels: Of what kind the labels of each dataset are; of those left out, multi-class.

    Raises:
        UserError: Runs on one dataset have different test sets, and the study has one split for all seeds.
    """
    runs = distinct(runs)
    scores: Scores = {}
    for dataset, of_dataset in runs[runs["status"] == "ok"].groupby("dataset", sort=False):
        found = _Tests(str(dataset), question, (labels or {}).get(str(dataset), MULTI_CLASS))
        scores |= found.scores(of_dataset, read)
    primary = {cell: found for cell, found in scores.items() if cell.metric == question.primary}
    comparisons = _comparisons(scores, question)
    return Results(
        _scores(runs, scores, question.shown),
        comparisons,
        crossovers(primary, comparisons),
        overall(primary, question.margin),
    )


def reader(predictions: Iterable[str | Path]) -> Callable[[Run], pd.DataFrame]:
    """Return a function that reads the predictions of a run, from the paths of those of all runs."""
    files = {Run.of(path): path for path in predictions}
    return lambda run: read_table(files[run])


class _Tests:
    """The test set of one dataset, or those of its seeds where each has a split of its own."""

    def __init__(self, dataset: str, question: Question, labels: Labels):
        self.question = question
        resamples = 0 if question.own_splits else RESAMPLES
        self.metrics = question.resampled(labels.task)
        self._new = partial(Bootstrap, dataset, self.metrics, labels, resamples)
        self._bootstraps: dict[str, Bootstrap] = {}

    def scores(self, runs: pd.DataFrame, read: Callable[[Run], pd.DataFrame]) -> Scores:
        """Return the scores of the cells of the dataset."""
        scores: Scores = {}
        for _, of_cell in runs.groupby(CELL, sort=False):
            seeds = runs_in(of_cell)
            found = {int(run.seed): self._of(run).scores(read(run)) for run in seeds}
            sizes = of_cell[["n_test", "n_train"]].mean()
            share = float(sizes["n_test"] / sizes["n_train"]) if self.question.own_splits else None
            for metric in self.metrics:
                draws = pd.DataFrame({seed: each[metric] for seed, each in found.items()}).T
                cell = ScoredCell.of(seeds[0], metric)
                scores[cell] = SeedScores(draws, self._of(seeds[0]).size, share)
        return scores

    def _of(self, run: Run) -> Bootstrap:
        key = run.seed if self.question.own_splits else ""
        if key not in self._bootstraps:
            self._bootstraps[key] = self._new()
        return self._bootstraps[key]


def _scores(runs: pd.DataFrame, scores: Scores, metrics: list[str]) -> pd.DataFrame:
    key = [*CELL, "metric"]
    intervals = pd.DataFrame(
        [(*cell, *found.estimate().interval(METRICS[cell.metric].bounds)) for cell, found in scores.items()],
        columns=[*key, "low", "high"],
    )
    long = runs.melt([*CELL, "family", "n_train", "status"], metrics, "metric", "value")
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
        baseline = scores.get(cell._replace(method=BASELINE)) if cell.metric in question.compared else None
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
        won = found.draws[0] * metric.sign > 0
        primary = cell.metric == question.primary
        rows.append(
            cell._asdict()
            | {"primary": primary, "margin": question.margin}
            | assess(estimate, question.margin, metric.higher_is_better)
            | (needs(estimate, question.margin, len(gains)) if primary else {})
            | {"seeds_won": int(won.sum()), "seeds_compared": len(won)}
        )
    table = pd.DataFrame(rows)
    return decide(table, metric.higher_is_better) if primary else table.drop(columns=TESTS)
