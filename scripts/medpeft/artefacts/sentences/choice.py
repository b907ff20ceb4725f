"""Which method to choose, and what the tests over datasets say."""

from typing import Any

import numpy as np
import pandas as pd

from medpeft.artefacts.card import counted
from medpeft.artefacts.markup import mebibytes, number, p_text
from medpeft.artefacts.palette import style
from medpeft.artefacts.tables.comparisons import settling
from medpeft.artefacts.words import ENCODERS, friedman_words, percent, points
from medpeft.base.frames import each_row
from medpeft.statistics.significance import SIGNIFICANT


def test_sentence(test: pd.Series) -> str:
    """Return what Friedman's test says of the ranks of one kind of encoder at one fraction."""
    over = f"{counted(test['methods'], 'method', 'methods')} over {counted(test['datasets'], 'dataset')}"
    left_out = f", {test['left_out']} more left out as incomplete," if test["left_out"] else ""
    name = f"{ENCODERS[test['encoder']]}, {percent(test['fraction'])}. "
    if test["status"] != "ok":
        return f"{name}{friedman_words(test)} ({over}{left_out.rstrip(',')})."
    sure = "differ" if test["permutation_p_value"] < SIGNIFICANT else "do not differ significantly"
    return f"{name}The mean ranks of {over}{left_out} {sure}: {friedman_words(test)}."


def recommendations(table: pd.DataFrame, settings: dict) -> list[str]:
    """Return one sentence a kind of encoder and fraction of the training images."""
    return [
        f"{ENCODERS[row.encoder]}, {percent(row.fraction)}. {recommendation(row, percent(row.fraction), settings)}"
        for row in each_row(table)
    ]


def recommendation(row: Any, data: str, settings: dict) -> str:
    """Return which method to use in place of full fine-tuning with such `data`, or that none is shown."""
    networks = ENCODERS[row.encoder].lower()
    if not settings["tuning"]["per_seed"]:  # no interval holds what another search would find
        data += " and the learning rates of one search"
    if not isinstance(row.method, str) or row.method == "":
        return (
            f"For {networks} with {data} this study recommends no method: none of "
            f"{counted(int(row.candidates), 'candidate')} is shown to be as good as full fine-tuning within the margin"
            f"{_would_take(row)}."
        )
    return (
        f"For {networks} with {data} use {style(row.method).label}: it is the cheapest method that is shown "
        f"{SHOWN[row.outcome]}, on {counted(int(row.datasets), 'dataset')} (difference "
        f"{number(row.difference, sign=True)}, 95 % interval {number(row.low, sign=True)} to "
        f"{number(row.high, sign=True)}, {p_text(row.p_not_inferior_adjusted)} for a loss of the margin), with "
        f"{number(row.trainable_parameters, 0, group=True)} trainable parameters, "
        f"{mebibytes(row.peak_memory_bytes, 0)} MiB at the peak and {number(row.train_seconds, 1)} s of training."
    )


SHOWN = {
    "better": "to be better than full fine-tuning",
    "equivalent": "to be equivalent to full fine-tuning",
    "not inferior": "not to be worse than full fine-tuning by the margin",
}


def _would_take(row: Any) -> str:
    """Return what it would take to see a difference of the size of the margin."""
    if np.isnan(row.detectable):
        return f", for a single {row.unit} does not show how {row.unit}s differ"
    return (
        f"; it could have seen a difference of {points(row.detectable)}, and one of the margin with "
        f"{settling(row._asdict(), row.unit)}"
    )
