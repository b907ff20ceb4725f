"""What a study leaves open, in a few sentences for the front of its paper."""

import pandas as pd

from medpeft.artefacts.card import counted
from medpeft.artefacts.selection import outcomes
from medpeft.artefacts.sentences.evidence import Evidence, at_full_data, most_data, only_peft
from medpeft.artefacts.words import plain

FEW_BLOCKS = 6  # datasets with a backbone, below which an order of methods says little of others


def unknown(runs: pd.DataFrame, evidence: Evidence) -> list[str]:
    """Return what the study does not show, the most important first; see `limitations` for what weakens what it shows.

    Args:
        runs: The distinct runs of classifiers.
        evidence: The study's settings and results.
    """
    cases = [only_peft(case) for *_, case in at_full_data(evidence)]
    compared = sum(map(len, cases))
    undecided = sum(len(outcomes(case)["undecided"]) for case in cases)
    blocks = len(runs[["dataset", "backbone"]].drop_duplicates())
    others = f"{counted(runs['dataset'].nunique(), 'dataset')} and {counted(runs['backbone'].nunique(), 'backbone')}"
    simulated = [plain(name) for name in simulated_datasets(evidence)]
    per_seed = evidence.settings["split"].get("per_seed", False)
    seeds = runs["seed"].nunique()
    sentences = [
        (simulated, f"What medical images would show: those of {', '.join(simulated)} are simulated."),
        (
            undecided,
            f"Which is better in {undecided} of {counted(compared, 'comparison')} of a PEFT method with full "
            f"fine-tuning on {most_data(evidence)}: no significant difference is no proof of equality.",
        ),
        (0 < blocks < FEW_BLOCKS, f"Whether this holds beyond {others}."),
        (seeds == 1, "How much scores vary from training to training: there is a single seed."),
        (blocks and not per_seed, "How much scores vary from split to split: all runs share one."),
    ]
    return [sentence for applies, sentence in sentences if applies]


def simulated_datasets(evidence: Evidence) -> list[str]:
    """Return the names of the datasets whose images are simulated."""
    return [name for name, dataset in evidence.datasets.items() if any(part.generate for part in dataset.archives)]
