"""The score of every method under both protocols: how much of a score, and of a gain, is leakage."""

import pandas as pd

from medpeft.artefacts.markup import Layout
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.tables._two_studies import layout, side_by_side
from medpeft.base.errors import UserError
from medpeft.statistics.metrics import METRICS

CAPTION = "Scores under a split that keeps patients and duplicates together, and under one that need not."
TABLE = Table(
    CAPTION, "answers", 4, ("scores", "other_scores", "splits", "primary"), requires=("classification", "counterpart")
)


def refuse_other_protocols(protocols: list[str]) -> None:
    """Refuse a study and a counterpart, with these `protocols`, that are not split in both ways."""
    if sorted(protocols) != ["grouped", "paper"]:
        raise UserError(
            f"this study and its counterpart are split by {' and '.join(protocols)}, where one must be grouped "
            "and one paper: correct split.counterpart or split.protocol"
        )


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """The score of every method under both protocols: how much of a score, and of a gain, is leakage."""
    refuse_other_protocols(sources.splits)
    found = dict(zip(sources.splits, (sources.scores, sources.other_scores), strict=True))
    table = side_by_side({protocol: found[protocol] for protocol in ("grouped", "paper")}, sources.primary)
    note = (
        f"{METRICS[sources.primary].heading}, mean over seeds with its 95 % interval. "
        "Grouped keeps a patient and all duplicates on one side; "
        "paper (the publisher's split, or one of single images) need not: what it scores more may be leakage, and "
        "chance where the interval holds 0."
    )
    return table, layout(table, {"grouped": "Grouped", "paper": "Paper"}, note)
