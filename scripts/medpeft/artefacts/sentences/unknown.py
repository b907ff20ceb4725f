"""What the data of a study leave open, for the front of its paper."""

import pandas as pd

from medpeft.artefacts.sentences.evidence import Evidence
from medpeft.artefacts.words import plain


def of_data(runs: pd.DataFrame, evidence: Evidence) -> list[str]:
    """Return what simulated images and a single split leave open; see `answers.unknown` for the comparisons.

    Args:
        runs: The distinct runs of classifiers.
        evidence: The study's settings and datasets.
    """
    simulated = [
        plain(name) for name, dataset in evidence.datasets.items() if any(part.generate for part in dataset.archives)
    ]
    one_split = len(runs) > 0 and not evidence.settings["split"].get("per_seed", False)
    sentences = [
        (simulated, f"The images of {', '.join(simulated)} are simulated: they say nothing of medicine."),
        (one_split, "All runs share one split: another may give other scores, which no interval covers."),
    ]
    return [sentence for applies, sentence in sentences if applies]
