"""What subgroups of test images and other datasets show: gaps between subgroups, and how much scores drop."""

from typing import Any

import pandas as pd

from medpeft.artefacts.card import counted
from medpeft.artefacts.markup import interval, number
from medpeft.artefacts.palette import style
from medpeft.artefacts.sentences.evidence import Evidence, labels
from medpeft.artefacts.words import plain
from medpeft.base.frames import each_group, row_at
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.significance import SIGNIFICANT


def populations(evidence: Evidence) -> list[str]:
    """Return a sentence for each attribute and each other dataset, by the primary metric."""
    name = evidence.settings["primary_metric"]
    gaps, external = (table[table["metric"] == name] for table in (evidence.gaps, evidence.external))
    gains = evidence.external_differences
    gains = gains[gains["metric"] == name]
    label = METRICS[name].label
    return [
        *(_gap_sentence(case, rows, label) for case, rows in each_group(gaps, ["dataset", "attribute"])),
        *(_drop_sentence(case, rows, gains, label) for case, rows in each_group(external, ["dataset", "other"])),
    ]


def _gap_sentence(case: tuple[str, str], rows: pd.DataFrame, label: str) -> str:
    """Return for how many methods a gap between subgroups is shown, and the largest one, of those if there are any."""
    dataset, attribute = case
    opening = f"{plain(dataset)} by {plain(attribute)}. "
    sure = rows[rows["p_adjusted"] < SIGNIFICANT]
    shown = rows if sure.empty else sure
    largest = row_at(shown, shown["gap"].idxmax())
    worst = (
        f"{number(largest['gap'])} {interval(largest['low'], largest['high'])} ({_cell(largest, rows)}; worst: "
        f"{largest['worst']}, best: {largest['best']})"
    )
    chance = f"subgroups that are alike would differ by {number(largest['chance_gap'])}"
    if len(sure):
        return (
            f"{opening}A gap in {label} between subgroups is shown for {len(sure)} of {_number(rows)}; the largest of "
            f"these is {worst}, where {chance}."
        )
    tested = f"No gap in {label} between subgroups is shown"
    if rows["p_adjusted"].isna().all():
        tested = f"With one seed no gap in {label} between subgroups is tested"
    return f"{opening}{tested}. The largest of {_number(rows)} is {worst}, where {chance}."


def _drop_sentence(case: tuple[str, str], rows: pd.DataFrame, gains: pd.DataFrame, label: str) -> str:
    """Return for how many methods a drop is shown, the largest one, and which methods beat full fine-tuning there."""
    dataset, other = case
    opening = f"{plain(dataset)}, tested on {plain(other)}. "
    if rows["drop"].isna().all():
        return f"{opening}No {label} is defined there."
    sure = rows["p_adjusted"] < SIGNIFICANT
    worse, better = int((sure & (rows["drop"] > 0)).sum()), int((sure & (rows["drop"] < 0)).sum())
    largest = row_at(rows, rows["drop"].idxmax())
    change = f"is shown to be worse there for {worse} of {_number(rows)}" if worse else "is not shown to be worse there"
    if better:
        change += f", and better for {better}"
    if rows["p_adjusted"].isna().all():
        change = "is not tested there, for lack of a second seed"
    sentence = (
        f"{opening}The {label} {change}. The largest drop is {number(largest['drop'], sign=True)} "
        f"{interval(largest['drop_low'], largest['drop_high'], sign=True)} ({_cell(largest, rows)}: "
        f"{number(largest['internal'])} on the own test set, {number(largest['external'])} on the other dataset)."
    )
    here = gains[(gains["dataset"] == dataset) & (gains["other"] == other)]
    return " ".join([sentence, *_gains(here)])


def _gains(rows: pd.DataFrame) -> list[str]:
    """Return which methods are shown to differ from full fine-tuning on another dataset, one sentence a network."""
    sentences = []
    for backbone, group in each_group(rows, "backbone"):
        signs = group["difference"] * METRICS[group["metric"].iloc[0]].sign
        sure = group["p_adjusted"] < SIGNIFICANT
        better, worse = (labels(group.loc[sure & side, "method"]) for side in (signs > 0, signs < 0))
        sentences.append(
            f"Against full fine-tuning on these images ({backbone}), better: {better}; worse: {worse}; nothing is "
            f"shown of {labels(group.loc[~sure, 'method'])}."
        )
    return sentences


def _cell(row: Any, rows: pd.DataFrame) -> str:
    """Return the method of a row, after its network where `rows` are of several."""
    network = f"{row['backbone']}, " if rows["backbone"].nunique() > 1 else ""
    return network + style(row["method"]).label


def _number(rows: pd.DataFrame) -> str:
    if rows["backbone"].nunique() > 1:
        return f"{len(rows)} pairs of network and method"
    return counted(len(rows), "method")
