"""Which method to choose: the cheapest of those that are shown not to be worse than full fine-tuning by the margin."""

import numpy as np
import pandas as pd

from medpeft.networks.encoders import encoder
from medpeft.statistics.blocks import GROUP
from medpeft.statistics.collect import distinct
from medpeft.statistics.significance import BASELINE, NEEDED, WITHIN_MARGIN

COST_COLUMNS = ["trainable_parameters", "peak_memory_bytes", "train_seconds", "adapter_bytes"]
KEPT = ["unit", "units", "datasets", "backbones", "score", "difference", "low", "high"]
KEPT += ["p_not_inferior_adjusted", "outcome", *NEEDED]
RECOMMENDATION_COLUMNS = [*GROUP, "method", *KEPT, "shown", "candidates", "better", *COST_COLUMNS]


def recommend(overall: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the method to choose for each kind of encoder and fraction, or none where the data show none.

    The reference is full fine-tuning, which no data chose. A method is a candidate if it has fewer trainable
    parameters. Of the candidates that are shown not to be worse by the margin, the one with the fewest trainable
    parameters is recommended. What is not shown is not recommended.

    Args:
        overall: Rows of `overall.csv`.
        runs: Rows of `runs.csv`.

    Returns:
        One row a kind of encoder and fraction: method (empty where none is shown), its row of `overall`, how many of
        the candidates are shown, better (those shown to be better than full fine-tuning), and medians over runs of
        trainable_parameters, peak_memory_bytes, train_seconds and adapter_bytes. Without a method, detectable,
        units_needed and images_needed are those of the candidate that needs the fewest units.
    """
    if overall.empty:
        return pd.DataFrame(columns=RECOMMENDATION_COLUMNS)
    runs = distinct(runs)
    costs = runs[runs["status"] == "ok"].assign(encoder=runs["backbone"].map(encoder))
    costs = costs.groupby([*GROUP, "method"])[COST_COLUMNS].median().reset_index()
    full = costs.loc[costs["method"] == BASELINE, [*GROUP, "trainable_parameters"]]
    table = overall.merge(costs, on=[*GROUP, "method"]).merge(full, on=GROUP, suffixes=("", "_full"))
    table = table[table["trainable_parameters"] < table["trainable_parameters_full"]]
    choices = [_choice(group) for _, group in table.groupby(GROUP)]
    return pd.DataFrame(choices, columns=RECOMMENDATION_COLUMNS)


def _choice(group: pd.DataFrame) -> dict:
    """Return the choice among the candidates of one kind of encoder at one fraction."""
    shown = group[group["outcome"].isin(WITHIN_MARGIN)]
    better = " ".join(group.loc[group["outcome"] == "better", "method"])
    counts = {"shown": len(shown), "candidates": len(group), "better": better}
    if len(shown):
        return shown.sort_values(["trainable_parameters", "method"]).iloc[0].to_dict() | counts
    nearest = group.sort_values(["units_needed", "method"], na_position="last").iloc[0]
    about = nearest[[*GROUP, "unit", "units", "datasets", "backbones", *NEEDED]].to_dict()
    return dict.fromkeys(RECOMMENDATION_COLUMNS, np.nan) | about | counts | {"method": ""}
