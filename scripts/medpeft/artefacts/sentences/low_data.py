"""What changes with fewer training images."""

from medpeft.artefacts.card import counted
from medpeft.artefacts.palette import style
from medpeft.artefacts.sentences.answers import best_against_full, outcome_groups
from medpeft.artefacts.sentences.evidence import Evidence, at_full_data, cases, labels, score_of
from medpeft.artefacts.words import percent, plain


def low_data(evidence: Evidence) -> list[str]:
    whole = {case[:2]: case[2] for case in at_full_data(evidence)}
    sentences = []
    for dataset, backbone, fraction, case in cases(evidence):
        if fraction < whole[dataset, backbone]:
            size = int(score_of(evidence, dataset, backbone, "full", fraction)["n_train"])
            opening = f"{plain(dataset)}, {backbone}, {percent(fraction)} ({counted(size, 'training image')}). "
            sentences.append(
                opening + best_against_full(evidence, dataset, backbone, fraction, case) + " " + outcome_groups(case)
            )
    return sentences + _crossover_sentences(
        evidence, {case[:2] for case in cases(evidence) if case[2] < whole[case[:2]]}
    )


def _crossover_sentences(evidence: Evidence, cases: set[tuple[str, str]]) -> list[str]:
    sentences = []
    for dataset, backbone in sorted(cases):
        of_case = evidence.crossovers.dropna(subset="fraction")
        of_case = of_case[(of_case["dataset"] == dataset) & (of_case["backbone"] == backbone)]
        overtaken = [f"{style(row.method).label} at {crossing_words(row)}" for row in of_case.itertuples()]
        ahead = _always_ahead(evidence, dataset, backbone)
        losers = f"{', '.join(overtaken)} of the training images" if overtaken else "no method that led before"
        sentences.append(
            f"{plain(dataset)}, {backbone}, crossovers. Full fine-tuning overtakes {losers}; "
            f"ahead of it at every fraction: {labels(ahead)}."
        )
    return sentences


def crossing_words(row) -> str:
    """Return the fraction of a crossover, its interval, and how many resamples have one at all."""
    fraction, low, high, share = (f"{100 * value:.0f} %" for value in (row.fraction, row.low, row.high, row.share))
    return f"{fraction} [{low}, {high}; in {share} of resamples]"


def _always_ahead(evidence: Evidence, dataset: str, backbone: str) -> list[str]:
    rows = evidence.differences.query("metric == 'f1_micro' and dataset == @dataset and backbone == @backbone")
    return [method for method, group in rows.groupby("method") if (group["difference"] > 0).all()]
