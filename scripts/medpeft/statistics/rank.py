"""Ranks of the methods over datasets, how sure they are, and whether they differ by more than chance.

The dataset is the unit. Backbones of one dataset share its images and its labels, so that counting each as a block of
its own finds differences where there are none. The scores of a method are averaged over the backbones of a dataset
before methods are ranked there, 1 for the best, ties averaged.

Friedman's test asks whether the methods differ at all, Nemenyi's critical difference which mean ranks do, and
Wilcoxon's signed-rank test compares each method with full fine-tuning. With few datasets these tests cannot reject,
whatever the data: where that is so, it is said, and no p-value is given.

Source: Demsar 2006, Statistical comparisons of classifiers over multiple data sets, JMLR 7:1-30.
"""

import numpy as np
import pandas as pd
from scipy import stats

from medpeft.networks.encoders import encoder
from medpeft.statistics.blocks import GROUP, cannot_reject, least_friedman_p, least_wilcoxon_p, shortage
from medpeft.statistics.inference import Estimate
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.significance import BASELINE, SIGNIFICANT, holm

EXACT = 12  # decimals: equal scores are to tie whatever order they were summed in
PERMUTATIONS = 10_000
RANK_COLUMNS = [*GROUP, "method", "datasets", "mean_rank", "low", "high", "least_without_one", "most_without_one"]
RANK_COLUMNS += ["score", "p_value", "p_adjusted"]
TEST_COLUMNS = [
    *GROUP,
    "metric",
    "methods",
    "datasets",
    "left_out",
    "chi_square",
    "p_value",
    "permutation_p_value",
    "f",
]
TEST_COLUMNS += ["f_p_value", "critical_difference", "least_p_value", "status"]


def rank(scores: pd.DataFrame, primary: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the mean rank of every method and the tests over datasets, for each kind of encoder and fraction.

    A method without a score anywhere is left out, and so is a dataset with a backbone in which any other method lacks
    one.

    Args:
        scores: Rows of `scores.csv`.
        primary: The metric by which methods are ranked.

    Returns:
        The ranks have: encoder, fraction, method, datasets, mean_rank with its 95 % interval low, high (over datasets),
        its least and most where one dataset is left out, score (mean over datasets), p_value (Wilcoxon, two-sided,
        against full fine-tuning), p_adjusted (Holm).
        The tests have: encoder, fraction, metric, left_out (incomplete pairs of dataset and backbone), and what
        `friedman` returns.
    """
    rows = scores[scores["metric"] == primary].assign(encoder=scores["backbone"].map(encoder))
    ranks, tests = [pd.DataFrame(columns=RANK_COLUMNS)], []
    for _, cells in rows.groupby(GROUP):
        kind, fraction = (cells[column].iloc[0] for column in GROUP)
        blocks = cells.pivot(index=["dataset", "backbone"], columns="method", values="mean")
        complete = blocks.dropna(how="all").dropna(axis="columns", how="all").dropna()
        datasets = METRICS[primary].sign * complete.groupby(level="dataset").mean().round(EXACT)
        about = {"encoder": kind, "fraction": fraction, "metric": primary, "left_out": len(blocks) - len(complete)}
        tests.append(about | friedman(datasets))
        if len(datasets):
            table = _ranks(datasets).assign(encoder=kind, fraction=fraction)
            ranks.append(table.assign(score=table["method"].map(complete.groupby(level="dataset").mean().mean())))
    return pd.concat(ranks[1:] or ranks, ignore_index=True)[RANK_COLUMNS], pd.DataFrame(tests, columns=TEST_COLUMNS)


def _ranks(datasets: pd.DataFrame) -> pd.DataFrame:
    """Return the ranks of the methods, the columns of `datasets`; with p-values where a test could reject."""
    ranks = datasets.rank(axis="columns", ascending=False)
    rows = [{"method": method} | _rank_row(ranks[method].to_numpy(), len(ranks.columns)) for method in ranks]
    table = pd.DataFrame(rows).set_index("method").assign(p_value=np.nan, p_adjusted=np.nan)
    others = [method for method in ranks if method != BASELINE]
    if BASELINE in ranks and others and not cannot_reject(least_wilcoxon_p(len(ranks)), len(others)):
        p_values = [_wilcoxon(datasets[method] - datasets[BASELINE]) for method in others]
        table.loc[others, "p_value"] = p_values
        table.loc[others, "p_adjusted"] = holm(p_values)
    return table.reset_index().sort_values(["mean_rank", "method"])


def _rank_row(ranks: np.ndarray, methods: int) -> dict:
    """Return mean, interval and stability of the ranks (datasets,) of one method."""
    low, high = Estimate.of_units(ranks).interval((1, methods)) if methods > 1 else (1.0, 1.0)
    without = [np.delete(ranks, place).mean() for place in range(len(ranks))] if len(ranks) > 1 else [np.nan]
    return {
        "mean_rank": ranks.mean(),
        "low": low,
        "high": high,
        "least_without_one": min(without),
        "most_without_one": max(without),
        "datasets": len(ranks),
    }


def _wilcoxon(differences: pd.Series) -> float:
    """Return the two-sided p-value of the signed-rank test; without any difference it is 1.

    Source: Wilcoxon 1945, Individual comparisons by ranking methods.
    """
    differences = differences.round(EXACT)
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def friedman(datasets: pd.DataFrame) -> dict:
    """Return the tests of a complete table of scores with one row a dataset and one column a method.

    Returns:
        methods and datasets, their numbers, chi_square and its p_value (an approximation, rough below ten datasets),
        permutation_p_value, f and f_p_value (Iman-Davenport; f is NaN where all datasets agree, for it has no bound),
        critical_difference (Nemenyi, at .05; NaN where no two ranks can be so far apart), least_p_value (that
        Friedman's test can have with so few datasets) and status, `ok` or why there is no test.

    Source: Demsar 2006, section 3.2.2; Iman & Davenport 1980, Approximations of the critical region of the Friedman
    statistic.
    """
    count, methods = datasets.shape
    result: dict = {"methods": methods, "datasets": count}
    if reason := shortage(count, methods):
        return result | {"status": reason}
    least = least_friedman_p(count, methods)
    result["least_p_value"] = least
    if cannot_reject(least):
        return result | {"status": f"no test: {methods} methods on {count} datasets cannot differ significantly"}
    if (datasets.nunique(axis="columns") == 1).all():
        return result | {"status": "no test: all methods tie on every dataset"}
    chi_square, p_value = stats.friedmanchisquare(*datasets.to_numpy().T)
    slack = count * (methods - 1) - chi_square
    f = (count - 1) * chi_square / slack if slack > 10**-EXACT else np.nan
    degrees = (methods - 1, (methods - 1) * (count - 1))
    difference = critical_difference(methods, count)
    return result | {
        "chi_square": chi_square,
        "p_value": p_value,
        "permutation_p_value": permutation_p_value(stats.rankdata(datasets.to_numpy(), axis=1)),
        "f": f,
        "f_p_value": stats.f.sf(f, *degrees),
        "critical_difference": difference if difference < methods - 1 else np.nan,
        "status": "ok",
    }


def permutation_p_value(ranks: np.ndarray) -> float:
    """Return how often `ranks` (datasets, methods), shuffled within each dataset, have sums at least as far apart."""
    random = np.random.default_rng(0)
    shuffled = sum(random.permuted(np.tile(row, (PERMUTATIONS, 1)), axis=1) for row in ranks)
    as_far = np.square(shuffled).sum(axis=1) >= np.square(ranks.sum(axis=0)).sum() - 10**-EXACT
    return float((1 + as_far.sum()) / (1 + PERMUTATIONS))


def critical_difference(methods: int, datasets: int) -> float:
    """Return by how much two mean ranks must differ to differ significantly.

    Source: Nemenyi 1963, Distribution-free multiple comparisons; Demsar 2006, section 3.2.2.
    """
    q = stats.studentized_range.ppf(1 - SIGNIFICANT, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * datasets)))
