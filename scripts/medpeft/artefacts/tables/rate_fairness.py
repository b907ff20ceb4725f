"""The score of every method under a learning rate that fractions share, and under one that each has searched."""

import pandas as pd

from medpeft.artefacts.markup import Layout
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.tables._two_studies import layout, side_by_side
from medpeft.base.errors import UserError
from medpeft.statistics.metrics import METRICS

CAPTION = "Scores under a learning rate shared by all fractions, and under one searched for each."
TABLE = Table(
    CAPTION,
    "low_data",
    4,
    ("scores", "rate_scores", "rates_per_fraction", "primary"),
    requires=("classification", "rate_counterpart"),
)


def refuse_alike_searches(per_fraction: list[bool]) -> None:
    """Refuse a study and a counterpart of which not one alone has searched a rate per fraction."""
    if sorted(per_fraction) != [False, True]:
        raise UserError(
            f"this study and its counterpart both have tuning.per_fraction: {str(per_fraction[0]).lower()}, where one "
            "must have true and one false: correct tuning.counterpart or tuning.per_fraction"
        )


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """The score of every method under a rate that fractions share and under one each has, and how far gains move."""
    refuse_alike_searches(sources.rates_per_fraction)
    found = dict(zip(sources.rates_per_fraction, (sources.scores, sources.rate_scores), strict=True))
    table = side_by_side({"shared": found[False], "per_fraction": found[True]}, sources.primary)
    table["gain_difference"] = table["gain_per_fraction"] - table["gain_shared"]
    note = (
        f"{METRICS[sources.primary].heading}, mean over seeds with its 95 % interval. "
        "A shared rate was searched once and used at every fraction; "
        "an own rate was searched on the images and in the steps of the runs of its fraction. Where the interval of a "
        "difference holds 0, it may be chance. Gain moves by: the gain over full fine-tuning under own rates, less "
        "that under shared ones."
    )
    return table, layout(table, {"shared": "Shared rate", "per_fraction": "Own rate"}, note)
