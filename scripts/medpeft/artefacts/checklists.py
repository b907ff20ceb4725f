"""The items of two checklists for reports, and what the records of a study answer of them.

They are CLAIM (Tejani et al. 2024, Radiology: Artificial Intelligence 6:e240300) and TRIPOD+AI (Collins et al. 2024,
BMJ 385:e078378), whose items have short names of our own here. What no record tells is left to the authors.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from medpeft.artefacts.markup import GAP
from medpeft.artefacts.sentences.records import ENTRIES
from medpeft.artefacts.sentences.told import Told

CLAIM = dict(
    enumerate(
        (
            *("title", "abstract", "background", "objectives", "prospective or retrospective", "goal"),
            *("data sources", "eligibility", "preprocessing", "subsets", "de-identification", "missing data"),
            *("image acquisition", "reference standard", "why this standard", "annotators", "annotation"),
            *("variability of annotations", "partitions", "level of separation", "size of the test set", "model"),
            *("software", "initialisation", "training", "selection of the model", "ensembles", "metrics"),
            *("uncertainty", "robustness", "explainability", "internal test", "external test", "registration"),
            *("flow of participants", "demographics", "performance", "estimates with intervals", "failure analysis"),
            *("limitations", "implications", "protocol", "availability", "funding"),
        ),
        start=1,
    )
)
TRIPOD = {
    **{"1": "title", "2": "abstract", "3a": "context", "3b": "target population", "3c": "health inequalities"},
    **{"4": "objectives", "5a": "sources of data", "5b": "dates", "6a": "setting", "6b": "eligibility"},
    **{"6c": "treatments", "7": "data preparation", "8a": "outcome", "8b": "outcome assessors"},
    **{"8c": "blinding of outcome", "9a": "choice of predictors", "9b": "definition of predictors"},
    **{"9c": "predictor assessors", "10": "sample size", "11": "missing data", "12a": "use of the data"},
    **{"12b": "handling of predictors", "12c": "model building", "12d": "handling of heterogeneity"},
    **{"12e": "measures of performance", "12f": "model updating", "12g": "calculation of predictions"},
    **{"13": "class imbalance", "14": "fairness", "15": "model output", "16": "training against evaluation"},
    **{"17": "ethical approval", "18a": "funding", "18b": "conflicts of interest", "18c": "protocol"},
    **{"18d": "registration", "18e": "data sharing", "18f": "code sharing", "19": "patient involvement"},
    **{"20a": "flow of participants", "20b": "characteristics", "20c": "comparison with development data"},
    **{"21": "numbers in each analysis", "22": "full model", "23a": "performance", "23b": "heterogeneity"},
    **{"24": "results of updating", "25": "interpretation", "26": "limitations", "27a": "poor input"},
    **{"27b": "interaction of users", "27c": "future research"},
}


def reported(told: Told) -> dict[str, Any]:
    """Return the appendix: `rows` of answers, and the items that are left to the authors, `claim` and `tripod`."""
    rows = [(entry, entry.answer(told)) for entry in ENTRIES]
    answered = [(entry, text) for entry, text in rows if text]
    return {
        "rows": [
            {
                "topic": entry.topic,
                "claim": ", ".join(map(str, entry.claim)) or GAP,
                "tripod": ", ".join(entry.tripod) or GAP,
                "answer": text,
            }
            for entry, text in answered
        ],
        "claim": _left(CLAIM, [number for entry, _ in answered for number in entry.claim]),
        "tripod": _left(TRIPOD, [number for entry, _ in answered for number in entry.tripod]),
    }


def _left(items: Mapping[Any, str], answered: Iterable[Any]) -> str:
    done = set(answered)
    return ", ".join(f"{number} {name}" for number, name in items.items() if number not in done)
