"""Ranks of the methods over blocks, and whether they differ by more than chance.

Within a block, a dataset with a backbone, the methods are ranked by micro-F1, 1 for the best, ties averaged. Friedman's
test, with the correction of Iman & Davenport, asks whether the methods differ at all. The critical difference of
Nemenyi tells which mean ranks differ, and Wilcoxon's signed-rank test compares each method with full fine-tuning.
Unlike the bootstrap of `compare`, they ask whether a difference holds on another dataset or backbone, and know nothing
of the spread within a block.

Source: Demsar 2006, Statistical comparisons of classifiers over multiple data sets, JMLR 7:1-30.
"""

import numpy as np
import pandas as pd
from scipy import stats

from medpeft.networks.encoders import encoder
from medpeft.statistics.blocks import GROUP, shortage
from medpeft.statistics.metrics import PRIMARY
from medpeft.statistics.significance import BASELINE, SIGNIFICANT, holm

EXACT = 12  # decimals: equal scores are to tie whatever order they were summed in
PERMUTATIONS = 10_000
RANK_COLUMNS = [*GROUP, "method", "blocks", "mean_rank", PRIMARY, "p_value", "p_adjusted"]
TEST_COLUMNS = [*GROUP, "methods", "blocks", "left_out", "chi_square", "p_value", "permutation_p_value", "f"]
TEST_COLUMNS += ["f_p_value", "critical_difference", "status"]


def rank(scores: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the mean rank of every method and the tests over blocks, for each kind of encoder and fraction.

    A method without a score anywhere is left out, and so is a block in which any other method lacks one.

    Args:
        scores: Rows of `scores.csv`.

    Returns:
        The ranks have: encoder, fraction, method, blocks, mean_rank, f1_micro (mean over blocks), p_value (Wilcoxon,
        two-sided, against full fine-tuning; exact for up to 50 blocks, with ties for up to 13), p_adjusted (Holm).
        The tests have: encoder, fraction, left_out (incomplete blocks), and what `friedman` returns.
    """
    primary = scores[scores["metric"] == PRIMARY].assign(encoder=scores["backbone"].map(encoder))
    ranks, tests = [pd.DataFrame(columns=RANK_COLUMNS)], []
    for _, cells in primary.groupby(GROUP):
        kind, fraction = (cells[column].iloc[0] for column in GROUP)
        blocks = cells.pivot(index=["dataset", "backbone"], columns="method", values="mean").round(EXACT)
        complete = blocks.dropna(how="all").dropna(axis="columns", how="all").dropna()
        left_out = {"left_out": len(blocks) - len(complete)}
        tests.append({"encoder": kind, "fraction": fraction} | left_out | friedman(complete))
        if len(complete):
            tested = tests[-1]["status"] == "ok"
            ranks.append(_ranks(complete, tested).assign(encoder=kind, fraction=fraction))
    return pd.concat(ranks[1:] or ranks, ignore_index=True)[RANK_COLUMNS], pd.DataFrame(tests, columns=TEST_COLUMNS)


def _ranks(blocks: pd.DataFrame, tested: bool) -> pd.DataFrame:
    """Return the ranks of the methods, the columns of `blocks`; with p-values where ranks can be tested."""
    ranks = blocks.rank(axis="columns", ascending=False).mean()
    table = pd.DataFrame({"mean_rank": ranks, PRIMARY: blocks.mean(), "blocks": len(blocks)})
    table = table.assign(p_value=np.nan, p_adjusted=np.nan)
    if tested and BASELINE in blocks:
        others = list(blocks.columns.drop(BASELINE))
        p_values = [_wilcoxon(blocks[method] - blocks[BASELINE]) for method in others]
        table.loc[others, "p_value"] = p_values
        table.loc[others, "p_adjusted"] = holm(p_values)
    return table.rename_axis("method").reset_index().sort_values(["mean_rank", "method"])


def _wilcoxon(differences: pd.Series) -> float:
    """Return the two-sided p-value of the signed-rank test; without any difference it is 1.

    Source: Wilcoxon 1945, Individual comparisons by ranking methods.
    """
    differences = differences.round(EXACT)
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def friedman(blocks: pd.DataFrame) -> dict:
    """Return the tests of a complete table of scores with one row a block and one column a method.

    Returns:
        methods and blocks, their numbers, chi_square and its p_value (an approximation, rough below ten blocks),
        permutation_p_value, f and f_p_value (Iman-Davenport; f is NaN where all blocks agree, for it has no bound),
        critical_difference (Nemenyi, at .05) and status, `ok` or why there is no test.

    Source: Demsar 2006, section 3.2.2; Iman & Davenport 1980, Approximations of the critical region of the Friedman
    statistic.
    """
    count, methods = blocks.shape
    result = {"methods": methods, "blocks": count}
    if reason := shortage(count, methods):
        return result | {"status": reason}
    if (blocks.nunique(axis="columns") == 1).all():
        return result | {"status": "no test: all methods tie in every block"}
    chi_square, p_value = stats.friedmanchisquare(*blocks.to_numpy().T)
    slack = count * (methods - 1) - chi_square
    f = (count - 1) * chi_square / slack if slack > 10**-EXACT else np.nan
    degrees = (methods - 1, (methods - 1) * (count - 1))
    return result | {
        "chi_square": chi_square,
        "p_value": p_value,
        "permutation_p_value": permutation_p_value(stats.rankdata(blocks.to_numpy(), axis=1)),
        "f": f,
        "f_p_value": stats.f.sf(f, *degrees),
        "critical_difference": critical_difference(methods, count),
        "status": "ok",
    }


def permutation_p_value(ranks: np.ndarray) -> float:
    """Return how often `ranks` (blocks, methods), shuffled within each block, have sums at least as far apart."""
    random = np.random.default_rng(0)
    shuffled = sum(random.permuted(np.tile(row, (PERMUTATIONS, 1)), axis=1) for row in ranks)
    as_far = np.square(shuffled).sum(axis=1) >= np.square(ranks.sum(axis=0)).sum() - 10**-EXACT
    return float((1 + as_far.sum()) / (1 + PERMUTATIONS))


def critical_difference(methods: int, blocks: int) -> float:
    """Return by how much two mean ranks must differ to differ significantly.

    Source: Nemenyi 1963, Distribution-free multiple comparisons; Demsar 2006, section 3.2.2.
    """
    q = stats.studentized_range.ppf(1 - SIGNIFICANT, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * blocks)))
