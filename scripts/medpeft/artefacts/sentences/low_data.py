"""What changes with fewer training images."""

from typing import Any

import pandas as pd

from medpeft.artefacts.palette import style
from medpeft.artefacts.selection import outcomes
from medpeft.artefacts.sentences.answers import outcome_groups
from medpeft.artefacts.sentences.evidence import Evidence, at_full_data, cases, labels
from medpeft.artefacts.words import percent, plain
from medpeft.base.frames import each_row


def low_data(evidence: Evidence) -> list[str]:
    """Return one sentence a dataset and backbone: what is decided at which smaller fraction, and what crosses."""
    whole = {case[:2]: case[2] for case in at_full_data(evidence)}
    by_network: dict[tuple[str, str], dict[float, pd.DataFrame]] = {}
    for dataset, backbone, fraction, case in cases(evidence):
        if fraction < whole[dataset, backbone]:
            by_network.setdefault((dataset, backbone), {})[fraction] = case
    return [
        f"{plain(dataset)}, {backbone}. {_decisions(by_fraction)} {_crossings(evidence, dataset, backbone)}"
        for (dataset, backbone), by_fraction in by_network.items()
    ]


def _decisions(by_fraction: dict[float, pd.DataFrame]) -> str:
    """Return what is decided at each fraction, and which methods are better at all of them."""
    decided = {
        fraction: outcome_groups(case[case["outcome"] != "undecided"]).rstrip(".")
        for fraction, case in by_fraction.items()
        if (case["outcome"] != "undecided").any()
    }
    if not decided:
        fractions = ", ".join(map(percent, by_fraction))
        return f"With fewer images ({fractions}) no method is shown to differ from full fine-tuning, or to equal it."
    return " ".join(f"At {percent(fraction)}: {text[0].lower()}{text[1:]}." for fraction, text in decided.items())


def _crossings(evidence: Evidence, dataset: str, backbone: str) -> str:
    crossovers = evidence.crossovers
    rows = crossovers[(crossovers["dataset"] == dataset) & (crossovers["backbone"] == backbone)]
    ahead = labels(_always_better(evidence, dataset, backbone))
    text = f"Better at every size: {ahead}." if ahead != "none" else ""
    if rows.empty:
        return f"{text} No crossover is shown.".strip()
    overtaken = ", ".join(f"{style(row.method).label} {crossing_words(row)}" for row in each_row(rows))
    return f"{text} Full fine-tuning overtakes {overtaken} of the training images.".strip()


def crossing_words(row: Any) -> str:
    """Return between which fractions a crossover is shown, and where the means cross."""
    return f"between {percent(row.low)} and {percent(row.high)} (the means cross at {100 * row.fraction:.0f} %)"


def _always_better(evidence: Evidence, dataset: str, backbone: str) -> list[str]:
    """Return the methods that are shown to be better than full fine-tuning at every fraction."""
    better = [
        set(outcomes(case)["better"])
        for name, network, _, case in cases(evidence)
        if (name, network) == (dataset, backbone)
    ]
    return sorted(set.intersection(*better)) if better else []
