"""What the data show of PEFT beside full fine-tuning, and what they leave open."""

import pandas as pd

from medpeft.artefacts.card import counted
from medpeft.artefacts.palette import style
from medpeft.artefacts.selection import outcomes
from medpeft.artefacts.sentences.choice import recommendation
from medpeft.artefacts.sentences.evidence import Evidence, at_full_data, labels, most_data, only_peft, training_images
from medpeft.artefacts.tables.comparisons import settling
from medpeft.artefacts.words import plain, points
from medpeft.base.frames import each_row
from medpeft.statistics.collect import distinct

FULLER = {"better": "better than full fine-tuning"}  # than the name of an outcome, which opens a sentence


def verdict(evidence: Evidence) -> str:
    """Answer what to use instead of full fine-tuning, one sentence a kind of encoder, or say that nothing is shown."""
    if not any(len(only_peft(case)) for *_, case in at_full_data(evidence)):
        runs = distinct(evidence.runs)
        if "full" in set(runs["method"]) and not only_peft(runs).empty:
            return "No PEFT method has a score beside one of full fine-tuning."
        return "This study has no PEFT method beside full fine-tuning to compare it with."
    table = evidence.recommendations
    largest = table[table["fraction"] == table.groupby("encoder")["fraction"].transform("max")]
    return " ".join(recommendation(row, most_data(evidence), evidence.settings) for row in each_row(largest))


def unknown(evidence: Evidence) -> list[str]:
    """Return what the study does not show, of what a reader might take from it."""
    cases = at_full_data(evidence)
    rows = pd.concat([evidence.differences.iloc[:0], *(case for *_, case in cases)])
    open_rows = rows[rows["outcome"] == "undecided"]
    datasets = {dataset for dataset, *_ in cases}
    singles = (rows["seeds_compared"] == 1).sum()
    sentences = [
        (
            len(open_rows) > 0,
            f"Of {counted(len(rows), 'comparison')} with full fine-tuning with {most_data(evidence)}, {len(open_rows)} "
            f"{'is' if len(open_rows) == 1 else 'are'} undecided{_least_seen(open_rows)}.",
        ),
        (
            singles > 0,
            f"{counted(int(singles), 'comparison')} {'has' if singles == 1 else 'have'} a single seed, which does not "
            "show how trainings differ: nothing is tested there.",
        ),
        (
            len(datasets) == 1,
            f"All comparisons are on one dataset, {', '.join(map(plain, datasets))}: another may answer otherwise.",
        ),
        (
            len(cases) > 0 and not evidence.settings["tuning"]["per_seed"],
            "Each method's learning rate was searched once, so that all comparisons hold for the rates found here; "
            "another search may find others, which no interval covers.",
        ),
    ]
    return [sentence for applies, sentence in sentences if applies]


def _least_seen(rows: pd.DataFrame) -> str:
    """Return the least and the most that these undecided comparisons could have seen."""
    sizes = rows["detectable"].dropna()
    if sizes.empty:
        return ""
    return f"; the differences that they could have seen are {points(sizes.min())} to {points(sizes.max())}"


def answers(evidence: Evidence) -> list[str]:
    """Return one sentence a case with the most training images: what is decided of which method."""
    return [_answer(evidence, *case) for case in at_full_data(evidence)]


def _answer(evidence: Evidence, dataset: str, backbone: str, fraction: float, case: pd.DataFrame) -> str:
    size = training_images(evidence, dataset, fraction)
    return f"{plain(dataset)}, {backbone}, {counted(size, 'training image')}. {outcome_groups(case)}"


def outcome_groups(case: pd.DataFrame) -> str:
    """Return which methods are found better, worse, equivalent, not inferior, and which are undecided."""
    found = {outcome: methods for outcome, methods in outcomes(case).items() if len(methods)}
    if list(found) == ["undecided"]:
        return f"Nothing is decided of {labels(found['undecided'])}{_nearest(case)}."
    text = "; ".join(f"{FULLER.get(outcome, outcome)}: {labels(methods)}" for outcome, methods in found.items())
    return f"{text[0].upper()}{text[1:]}."


def _nearest(case: pd.DataFrame) -> str:
    """Return what it would take to settle the undecided comparison that needs the fewest seeds."""
    nearest = case.sort_values("units_needed", kind="stable", na_position="last").iloc[0]
    return f" ({style(nearest['method']).label} would take {settling(nearest, 'seed')})"
