"""Whether PEFT beats full fine-tuning."""

import pandas as pd

from medpeft.artefacts.card import counted
from medpeft.artefacts.markup import number
from medpeft.artefacts.palette import style
from medpeft.artefacts.selection import outcomes
from medpeft.artefacts.sentences.evidence import Evidence, at_full_data, labels, most_data, only_peft, score_of
from medpeft.artefacts.words import plain
from medpeft.statistics.collect import distinct


def verdict(evidence: Evidence) -> str:
    """Answer in one sentence whether PEFT beats full fine-tuning."""
    cases = [case for *_, case in at_full_data(evidence) if not only_peft(case).empty]
    if not cases:
        runs = distinct(evidence.runs)
        if "full" in set(runs["method"]) and not only_peft(runs).empty:
            return "No PEFT method has a score beside one of full fine-tuning."
        return "This study has no PEFT method beside full fine-tuning to compare it with."
    won, lost = 0, 0
    for case in cases:
        of_case = outcomes(only_peft(case))
        won += not of_case["better"].empty
        lost += of_case["better"].empty and of_case["undecided"].empty
    return (
        f"With {most_data(evidence)}, at least one PEFT method is significantly better than full fine-tuning in "
        f"{won} of {counted(len(cases), 'case')} (a case is a dataset with a backbone), "
        f"and all PEFT methods are significantly worse in {lost}."
    )


def answers(evidence: Evidence) -> list[str]:
    return [_answer(evidence, *case) for case in at_full_data(evidence)]


def _answer(evidence: Evidence, dataset: str, backbone: str, fraction: float, case: pd.DataFrame) -> str:
    full = score_of(evidence, dataset, backbone, "full", fraction)
    opening = f"{plain(dataset)}, {backbone}, {counted(int(full['n_train']), 'training image')}. "
    return f"{opening}{best_against_full(evidence, dataset, backbone, fraction, case)} {outcome_groups(case)}"


def best_against_full(evidence: Evidence, dataset: str, backbone: str, fraction: float, case: pd.DataFrame) -> str:
    if only_peft(case).empty:
        return "No PEFT method has a score here."
    best = only_peft(case).iloc[0]
    score = score_of(evidence, dataset, backbone, best["method"], fraction)
    full = score_of(evidence, dataset, backbone, "full", fraction)
    return (
        f"The best PEFT method, {style(best['method']).label}, reaches a micro-F1 of {number(score['mean'])} against "
        f"{number(full['mean'])} of full fine-tuning: a difference of {number(best['difference'], sign=True)} "
        f"(95 % interval {number(best['low'], sign=True)} to {number(best['high'], sign=True)}, "
        f"adjusted p {number(best['p_adjusted'])}), "
        f"ahead in {best['seeds_won']} of {counted(best['seeds_compared'], 'seed')}."
    )


def outcome_groups(case: pd.DataFrame) -> str:
    better, worse, undecided = map(labels, outcomes(case).values())
    return (
        f"Significantly better than full fine-tuning: {better}; significantly worse: {worse}; undecided: {undecided}."
    )
