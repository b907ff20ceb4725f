"""Ranks of the methods over blocks, whether they differ by more than chance, and which method to choose.

Within a block, a dataset with a backbone, the methods are ranked by micro-F1, 1 for the best, ties averaged. The
tests are those of Demsar (2006, JMLR 7:1-30): Friedman's, with the correction of Iman & Davenport (1980), whether the
methods differ at all, the critical difference of Nemenyi (1963) which mean ranks differ, and Wilcoxon's signed-rank
test of each method against full fine-tuning. Unlike the bootstrap of `compare`, they ask whether a difference holds
on another dataset or backbone, and know nothing of the spread within a block.
"""

import numpy as np
import pandas as pd
from scipy import stats

from medpeft.networks.encoders import encoder
from medpeft.statistics.blocks import LEAST_BLOCKS, LEAST_METHODS
from medpeft.statistics.collect import distinct
from medpeft.statistics.compare import BASELINE, holm

SIGNIFICANT = 0.05
EXACT = 12  # decimals: equal scores are to tie whatever order they were summed in
GROUP = ["encoder", "fraction"]
RANKS = [*GROUP, "method", "blocks", "mean_rank", "f1_micro", "p_value", "p_adjusted"]
TESTS = [*GROUP, "methods", "blocks", "left_out", "chi_square", "p_value", "permutation_p_value", "f", "f_p_value"]
TESTS += ["critical_difference", "status"]
PERMUTATIONS = 10_000
COSTS = ["trainable_parameters", "peak_memory_bytes", "train_seconds", "adapter_bytes"]


def rank(scores: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the mean rank of every method and the tests over blocks, for each kind of encoder and fraction.

    `scores` are rows of `scores.csv`. A method without a score anywhere is left out, and so is a block in which any
    other method lacks one. The ranks have: encoder, fraction, method, blocks, mean_rank, f1_micro (mean over
    blocks), p_value (Wilcoxon, two-sided, against full fine-tuning; exact for up to 50 blocks, with ties for up to
    13), p_adjusted (Holm). The tests have: encoder, fraction, methods, blocks, left_out (incomplete blocks),
    chi_square and its p_value (an approximation, rough below ten blocks), permutation_p_value, f and f_p_value
    (Iman-Davenport; empty where all blocks agree, and f has no bound), critical_difference (Nemenyi, at .05) and
    status, `ok` or why there is no test.
    """
    f1 = scores[scores["metric"] == "f1_micro"].assign(encoder=scores["backbone"].map(encoder))
    ranks, tests = [pd.DataFrame(columns=RANKS)], []
    for group, cells in f1.groupby(GROUP):
        key = dict(zip(GROUP, group, strict=True))
        blocks = cells.pivot(index=["dataset", "backbone"], columns="method", values="mean").round(EXACT)
        complete = blocks.dropna(how="all").dropna(axis="columns", how="all").dropna()
        tests.append(key | {"left_out": len(blocks) - len(complete)} | friedman(complete))
        if len(complete):
            ranks.append(_ranks(complete, tests[-1]["status"] == "ok").assign(**key))
    return pd.concat(ranks[1:] or ranks, ignore_index=True)[RANKS], pd.DataFrame(tests, columns=TESTS)


def _ranks(blocks: pd.DataFrame, tested: bool) -> pd.DataFrame:
    ranks = blocks.rank(axis="columns", ascending=False).mean()
    table = pd.DataFrame({"mean_rank": ranks, "f1_micro": blocks.mean(), "blocks": len(blocks)})
    table = table.assign(p_value=np.nan, p_adjusted=np.nan)
    if tested and BASELINE in blocks:
        others = blocks.columns.drop(BASELINE)
        p_values = [_wilcoxon(blocks[method] - blocks[BASELINE]) for method in others]
        table.loc[others, "p_value"] = p_values
        table.loc[others, "p_adjusted"] = holm(p_values)
    return table.rename_axis("method").reset_index().sort_values(["mean_rank", "method"])


def _wilcoxon(differences: pd.Series) -> float:
    """Return the two-sided p-value of the signed-rank test; without any difference it is 1."""
    differences = differences.round(EXACT)
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def friedman(blocks: pd.DataFrame) -> dict:
    """Return the tests of a complete table of scores with one row a block and one column a method; see `rank`."""
    count, methods = blocks.shape
    result = {"methods": methods, "blocks": count}
    if count < LEAST_BLOCKS:
        return result | {"status": f"too few blocks for a test: {count}"}
    if methods < LEAST_METHODS:
        return result | {"status": f"too few methods for a test: {methods}"}
    if (blocks.nunique(axis="columns") == 1).all():
        return result | {"status": "no test: all methods tie in every block"}
    chi_square, p_value = stats.friedmanchisquare(*blocks.to_numpy().T)
    slack = count * (methods - 1) - chi_square
    f = (count - 1) * chi_square / slack if slack > 10**-EXACT else np.nan
    degrees = (methods - 1, (methods - 1) * (count - 1))
    return result | {
        "chi_square": chi_square,
        "p_value": p_value,
        "permutation_p_value": _permutation_p_value(stats.rankdata(blocks.to_numpy(), axis=1)),
        "f": f,
        "f_p_value": stats.f.sf(f, *degrees),
        "critical_difference": critical_difference(methods, count),
        "status": "ok",
    }


def _permutation_p_value(ranks: np.ndarray) -> float:
    """Return how often `ranks` (blocks, methods), shuffled within each block, have sums at least as far apart."""
    random = np.random.default_rng(0)
    shuffled = sum(random.permuted(np.tile(row, (PERMUTATIONS, 1)), axis=1) for row in ranks)
    as_far = np.square(shuffled).sum(axis=1) >= np.square(ranks.sum(axis=0)).sum() - 10**-EXACT
    return float((1 + as_far.sum()) / (1 + PERMUTATIONS))


def critical_difference(methods: int, blocks: int) -> float:
    """Return by how much two mean ranks must differ to differ significantly (Nemenyi; Demsar 2006, section 3.2.2)."""
    q = stats.studentized_range.ppf(1 - SIGNIFICANT, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * blocks)))


def recommend(ranks: pd.DataFrame, pairs: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the best and the cheapest good method for each kind of encoder and fraction.

    The best has the lowest mean rank, of several the highest mean score, then the fewest parameters. Every other
    method is held against it with the p-values of `pairs`, adjusted by Holm's procedure over these candidates; of the
    best and those that are not significantly worse, the cheapest trains the fewest parameters. Not being worse is a
    lack of evidence, not a proof of equality. One row a choice, with the columns encoder, fraction, role (`best`,
    `cheapest` or `best and cheapest`), method, blocks, mean_rank, f1_micro, difference from the best, low, high,
    p_adjusted, not_worse (how many of the candidates) of candidates, and medians over runs: trainable_parameters,
    peak_memory_bytes, train_seconds, adapter_bytes.
    """
    columns = [*GROUP, "role", "method", "blocks", "mean_rank", "f1_micro", "difference", "low", "high", "p_adjusted"]
    columns += ["not_worse", "candidates", *COSTS]
    if ranks.empty:
        return pd.DataFrame(columns=columns)
    runs = distinct(runs)
    costs = runs[runs["status"] == "ok"].assign(encoder=runs["backbone"].map(encoder))
    costs = costs.groupby([*GROUP, "method"])[COSTS].median().reset_index()
    table = ranks.drop(columns=["p_value", "p_adjusted"]).merge(costs, on=[*GROUP, "method"])
    choices = [_choices(group, pairs.merge(group[GROUP].drop_duplicates())) for _, group in table.groupby(GROUP)]
    return pd.concat(choices, ignore_index=True)[columns]


def _choices(group: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    order = ["mean_rank", "f1_micro", "trainable_parameters"]
    group = group.sort_values(order, ascending=[True, False, True], kind="stable")
    best = group["method"].iloc[0]
    against = pairs[(pairs["other"] == best) & pairs["method"].isin(group["method"])]
    against = against.assign(p_adjusted=holm(against["p_value"]))[["method", "difference", "low", "high", "p_adjusted"]]
    group = group.merge(against, on="method", how="left")
    worse = (group["p_adjusted"] < SIGNIFICANT) & (group["difference"] < 0)
    good = group[~worse]
    cheapest = good.loc[good["trainable_parameters"].idxmin(), "method"]
    roles = {best: "best", cheapest: "cheapest"} if best != cheapest else {best: "best and cheapest"}
    chosen = group[group["method"].isin(roles)]
    return chosen.assign(role=chosen["method"].map(roles), not_worse=len(good) - 1, candidates=len(group) - 1)
