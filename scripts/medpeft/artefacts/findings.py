"""What the study found, as the sentences and numbers that the paper prints."""

import pandas as pd

from medpeft.artefacts.card import Numbers, audit_sentence, pixel_sentence
from medpeft.artefacts.fonts import rare_letters
from medpeft.artefacts.sentences.answers import answers, unknown, verdict
from medpeft.artefacts.sentences.choice import recommendations, test_sentence
from medpeft.artefacts.sentences.claims import claims
from medpeft.artefacts.sentences.evidence import Evidence, facts_of, most_data
from medpeft.artefacts.sentences.generation import generation
from medpeft.artefacts.sentences.limitations import limitations
from medpeft.artefacts.sentences.low_data import low_data
from medpeft.artefacts.words import plain
from medpeft.data.split import SPLITS
from medpeft.statistics.collect import distinct


def findings(evidence: Evidence) -> dict:
    """Return the content of `findings.json`: settings, overview, and lists of sentences for each part of the paper."""
    runs = distinct(evidence.runs)
    return {
        "settings": evidence.settings,
        "overview": _overview(runs, evidence),
        "datasets": [_dataset(name, evidence) for name in evidence.audits],
        "answers": answers(evidence),
        "tests": [test_sentence(row) for _, row in evidence.friedman.iterrows()],
        "recommendations": recommendations(evidence.recommendations),
        "low_data": low_data(evidence),
        "generation": generation(evidence),
        "claims": claims(evidence),
        "limitations": limitations(runs, evidence),
        "rare_letters": "".join(sorted(rare_letters(evidence.datasets))),
    }


def _overview(runs: pd.DataFrame, evidence: Evidence) -> dict:
    return facts_of(runs, cells=runs) | {
        "backbones": list(dict.fromkeys(runs["backbone"])),
        "searches": len(evidence.learning_rates),
        "most_data": most_data(evidence),
        "verdict": verdict(evidence),
        "unknown": unknown(evidence),
    }


def _dataset(name: str, evidence: Evidence) -> dict:
    dataset = evidence.datasets[name]
    get = Numbers(evidence.audits[name], evidence.protocols[name])
    classes = [
        {"label": label} | {part: get(get.protocol, "images", part, label) for part in SPLITS} for label in get.labels
    ]
    return {
        "title": dataset.title,
        "name": plain(name),
        "licence": dataset.licence,
        "access": dataset.access,
        "citation": dataset.citation,
        "caveats": list(dataset.caveats),
        "classes": classes,
        "total": {part: get(get.protocol, "images", part) for part in SPLITS},
        "audit": audit_sentence(get),
        "pixels": pixel_sentence(get, evidence.settings["image_fit"]),
    }
