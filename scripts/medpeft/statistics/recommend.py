"""Which method to choose: the best one, and the cheapest of those that are not significantly worse."""

import pandas as pd

from medpeft.networks.encoders import encoder
from medpeft.statistics.blocks import GROUP
from medpeft.statistics.collect import distinct
from medpeft.statistics.metrics import PRIMARY
from medpeft.statistics.significance import SIGNIFICANT, holm

COST_COLUMNS = ["trainable_parameters", "peak_memory_bytes", "train_seconds", "adapter_bytes"]
DIFFERENCE_COLUMNS = ["difference", "low", "high", "p_adjusted"]
RECOMMENDATION_COLUMNS = [*GROUP, "role", "method", "blocks", "mean_rank", PRIMARY, *DIFFERENCE_COLUMNS]
RECOMMENDATION_COLUMNS += ["not_worse", "candidates", *COST_COLUMNS]


def recommend(ranks: pd.DataFrame, contrasts: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the best and the cheapest good method for each kind of encoder and fraction.

    The best has the lowest mean rank, of several the highest mean score, then the fewest parameters. Every other
    method is held against it with the p-values of `contrasts`, adjusted by Holm's procedure over these candidates. Of
    the best and those that are not significantly worse, the cheapest trains the fewest parameters. Not being worse is
    a lack of evidence, not a proof of equality.

    Args:
        ranks: Rows of `ranks.csv`.
        contrasts: Rows of `contrasts.csv`.
        runs: Rows of `runs.csv`.

    Returns:
        One row a choice, with the columns encoder, fraction, role (`best`, `cheapest` or `best and cheapest`), method,
        blocks, mean_rank, f1_micro, difference from the best, low, high, p_adjusted, not_worse (how many of the
        candidates) of candidates, and medians over runs: trainable_parameters, peak_memory_bytes, train_seconds,
        adapter_bytes.
    """
    if ranks.empty:
        return pd.DataFrame(columns=RECOMMENDATION_COLUMNS)
    runs = distinct(runs)
    costs = runs[runs["status"] == "ok"].assign(encoder=runs["backbone"].map(encoder))
    costs = costs.groupby([*GROUP, "method"])[COST_COLUMNS].median().reset_index()
    table = ranks.drop(columns=["p_value", "p_adjusted"]).merge(costs, on=[*GROUP, "method"])
    choices = [_choices(group, contrasts.merge(group[GROUP].drop_duplicates())) for _, group in table.groupby(GROUP)]
    return pd.concat(choices, ignore_index=True)[RECOMMENDATION_COLUMNS]


def _choices(group: pd.DataFrame, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Return the choices among the methods of one kind of encoder at one fraction."""
    order = ["mean_rank", PRIMARY, "trainable_parameters"]
    group = group.sort_values(order, ascending=[True, False, True], kind="stable")
    best = group["method"].iloc[0]
    against = contrasts[(contrasts["other"] == best) & contrasts["method"].isin(group["method"])]
    against = against.assign(p_adjusted=holm(against["p_value"]))[["method", *DIFFERENCE_COLUMNS]]
    group = group.merge(against, on="method", how="left")
    worse = (group["p_adjusted"] < SIGNIFICANT) & (group["difference"] < 0)
    good = group[~worse]
    cheapest = good.set_index("method")["trainable_parameters"].idxmin()
    roles = {best: "best", cheapest: "cheapest"} if best != cheapest else {best: "best and cheapest"}
    chosen = group[group["method"].isin(roles)]
    return chosen.assign(role=chosen["method"].map(roles), not_worse=len(good) - 1, candidates=len(group) - 1)
