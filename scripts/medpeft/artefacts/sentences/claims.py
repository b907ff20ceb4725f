"""The published claims beside the matching results of a study."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd

from medpeft.artefacts.markup import GAP, TIMES, interval, number
from medpeft.artefacts.parts.published import METRIC
from medpeft.artefacts.selection import NOT_PEFT
from medpeft.artefacts.sentences.evidence import Evidence, at_full_data, cases
from medpeft.artefacts.sentences.low_data import crossing_words
from medpeft.artefacts.words import percent, plain
from medpeft.base.frames import each_group, each_row
from medpeft.networks.encoders import encoder
from medpeft.statistics.generated.compare_generated import verdicts
from medpeft.statistics.generated.generation_scores import UNTUNED, generation_scores
from medpeft.statistics.significance import BASELINE

ON_F1 = ("gain", "best", "low_data", "crossover")  # kinds of claims that another primary metric says nothing of


def claims(evidence: Evidence) -> list[dict[str, str]]:
    return [
        {
            "statement": claim.statement,
            "published": _published(claim),
            "ours": "; ".join(OURS[claim.kind](evidence, claim)) or "not in this study",
        }
        for claim in each_row(evidence.claims)
        if claim.kind not in ON_F1 or evidence.settings["primary_metric"] == METRIC
    ]


def _published(claim: Any) -> str:
    if pd.isna(claim.published):
        return GAP
    match claim.kind:
        case "crossover":
            return percent(claim.published)
        case "learning_rate":
            return f"{TIMES} {claim.published:g}"
        case "fid":
            return number(claim.published, 2)
    return number(claim.published, 2, sign=True)


def _gain(evidence: Evidence, claim: Any) -> list[str]:
    ours = []
    for dataset, backbone, _, case in at_full_data(evidence):
        row = case[case["method"] == claim.method]
        if encoder(backbone) == claim.encoder and not row.empty:
            ours.append(f"{_gain_text(row.iloc[0])} ({plain(dataset)}, {backbone})")
    return ours


def _gain_text(row: pd.Series) -> str:
    """Return the difference from full fine-tuning with its interval, and what is decided of it."""
    return f"{number(row['difference'], sign=True)} {interval(row['low'], row['high'], sign=True)} {row['outcome']}"


def _best_method(evidence: Evidence, claim: Any) -> list[str]:
    """Return the place of the method by its mean difference from full fine-tuning, and what is decided of that."""
    ours = []
    for dataset, backbone, _, case in at_full_data(evidence):
        places = case["difference"].rank(ascending=False, method="min")
        row = case[case["method"] == claim.method]
        if encoder(backbone) == claim.encoder and not row.empty:
            place = f"place {places[row.index[0]]:.0f} of {len(case)} by the mean difference from full fine-tuning"
            ours.append(f"{place}, {row.iloc[0]['outcome']} ({plain(dataset)}, {backbone})")
    return ours


def _low_data_gain(evidence: Evidence, claim: Any) -> list[str]:
    """Return the difference with the fewest images, a choice that no score made."""
    whole = {case[:2]: case[2] for case in at_full_data(evidence)}
    least: dict[tuple[str, str], str] = {}
    for dataset, backbone, fraction, case in cases(evidence):
        row = case[case["method"] == claim.method]
        if encoder(backbone) == claim.encoder and fraction < whole[dataset, backbone] and not row.empty:
            text = f"{_gain_text(row.iloc[0])} at {percent(fraction)} ({plain(dataset)}, {backbone})"
            least.setdefault((dataset, backbone), text)
    return list(least.values())


def _crossover(evidence: Evidence, claim: Any) -> list[str]:
    """Return where a crossover is shown, and of what has several fractions without one that none is."""
    shown = {(row.dataset, row.backbone): row for row in each_row(evidence.crossovers) if row.method == claim.method}
    fractions = Counter(
        (dataset, backbone) for dataset, backbone, _, case in cases(evidence) if claim.method in set(case["method"])
    )
    return [
        f"{crossing_words(shown[case]) if case in shown else 'none is shown'} ({plain(case[0])}, {case[1]})"
        for case, count in fractions.items()
        if count > 1 and encoder(case[1]) == claim.encoder
    ]


def _rate_ratio(evidence: Evidence, claim: Any) -> list[str]:
    peft = evidence.learning_rates[~evidence.learning_rates["method"].isin(NOT_PEFT)].dropna(subset=["times_full"])
    return [
        f"{TIMES} {group['times_full'].median():.3g} in the median, {group['times_full'].min():.3g} to "
        f"{group['times_full'].max():.3g} ({plain(dataset)}, {backbone}; "
        f"{group['at_edge'].sum()} of {len(group)} at an edge of the search)"
        for (dataset, backbone), group in each_group(peft, ["dataset", "backbone"])
    ]


def _fid_place(evidence: Evidence, claim: Any) -> list[str]:
    """Return the place of the method by its mean FID, and what is decided of it beside full fine-tuning."""
    ours, judged = [], verdicts(evidence.generation_comparisons)
    for (dataset, backbone), group in each_group(generation_scores(evidence.runs), ["dataset", "backbone"]):
        fids = group[(group["fraction"] == 1) & (group["method"] != UNTUNED)].set_index("method")["fid"].dropna()
        if claim.method in fids:
            place = f"{fids.rank(method='min')[claim.method]:.0f} of {len(fids)}"
            here = judged[(judged["dataset"] == dataset) & (judged["backbone"] == backbone) & (judged["fraction"] == 1)]
            row = here[(here["reference"] == BASELINE) & (here["method"] == claim.method)]
            verdict = f", {row.iloc[0]['verdict']} beside full fine-tuning" if len(row) else ""
            ours.append(
                f"{number(fids[claim.method], 2)}, place {place} by the mean{verdict} ({plain(dataset)}, {backbone})"
            )
    return ours


OURS: dict[str, Callable[[Evidence, Any], list[str]]] = {
    "gain": _gain,
    "best": _best_method,
    "low_data": _low_data_gain,
    "crossover": _crossover,
    "learning_rate": _rate_ratio,
    "fid": _fid_place,
}
