"""What the study found, as the sentences and numbers that the paper prints."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from medpeft.artefacts.card import Numbers, data_sentence, other_split, pixel_sentence, shortcut_sentence
from medpeft.artefacts.checklists import reported
from medpeft.artefacts.fonts import rare_letters
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.sentences.answers import answers, unknown, verdict
from medpeft.artefacts.sentences.captions import of_experiments
from medpeft.artefacts.sentences.choice import recommendations, test_sentence
from medpeft.artefacts.sentences.claims import claims
from medpeft.artefacts.sentences.design import labels_told, policies, score_sentence
from medpeft.artefacts.sentences.evidence import Evidence, facts_of, most_data
from medpeft.artefacts.sentences.generation import generation
from medpeft.artefacts.sentences.limitations import limitations
from medpeft.artefacts.sentences.low_data import low_data
from medpeft.artefacts.sentences.populations import populations
from medpeft.artefacts.sentences.searching import searching
from medpeft.artefacts.sentences.told import Told
from medpeft.artefacts.sentences.unknown import of_data
from medpeft.artefacts.words import plain, titled
from medpeft.base.losses import summary
from medpeft.data.split import SPLITS
from medpeft.statistics.collect import distinct
from medpeft.statistics.metrics import METRICS

UNTOUCHED = "not in this study"  # what `claims` says of a claim on methods or networks that the study lacks


def findings(
    evidence: Evidence,
    records: Sequence[Mapping[str, Any]] = (),
    published: Mapping[str, pd.DataFrame] | None = None,
) -> dict:
    """Return the content of `findings.json`: settings, overview, and lists of sentences for each part of the paper.

    Args:
        evidence: The study's settings and result tables.
        records: The `record.json` of its runs.
        published: The cells of the published tables, by name.
    """
    with titled({name: dataset.title for name, dataset in evidence.datasets.items()}):
        return _findings(evidence, records, published or {})


def _findings(
    evidence: Evidence, records: Sequence[Mapping[str, Any]], published: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    runs = distinct(evidence.runs)
    limits = limitations(runs, evidence)
    audits = {name: Numbers(audit, evidence.protocols[name]) for name, audit in evidence.audits.items()}
    told = Told(
        settings=evidence.settings,
        runs=pd.concat([runs, distinct(evidence.runs, "text-to-image")]),
        scores=evidence.scores,
        datasets=evidence.datasets,
        audits=audits,
        records=records,
        limitations=limits,
        subgroups=evidence.subgroups,
        external=evidence.external,
        confusions=evidence.confusions,
    )
    return {
        "settings": evidence.settings,
        "overview": _overview(runs, evidence),
        "methods": {task: _methods(records, task) for task in ("classification", "text-to-image")},
        "captions": of_experiments(evidence.runs, published),
        "datasets": [_dataset(name, evidence, get) for name, get in audits.items()],
        "answers": answers(evidence),
        "tests": [test_sentence(row) for _, row in evidence.friedman.iterrows() if row["status"] == "ok"],
        "recommendations": recommendations(evidence.recommendations, evidence.settings),
        "low_data": low_data(evidence),
        "populations": populations(evidence),
        "generation": generation(evidence),
        "claims": [claim for claim in claims(evidence) if claim["ours"] != UNTOUCHED],
        "limitations": limits,
        "checklists": reported(told),
        "rare_letters": "".join(sorted(rare_letters(evidence.datasets))),
    }


def _overview(runs: pd.DataFrame, evidence: Evidence) -> dict:
    facts, searches = facts_of(runs, cells=runs), len(evidence.learning_rates)
    return facts | {
        "backbones": list(dict.fromkeys(runs["backbone"])),
        "metric": METRICS[evidence.settings["primary_metric"]].label,
        "score": score_sentence(evidence.settings, [evidence.datasets[name] for name in runs["dataset"].unique()]),
        "policies": policies(runs, evidence.settings, evidence.datasets),
        "searches": searches,
        "searching": searching(evidence.settings, searches, facts["fractions"]),
        "most_data": most_data(evidence),
        "verdict": verdict(evidence),
        "unknown": [*of_data(runs, evidence), *unknown(evidence)],
    }


def _methods(records: Sequence[Mapping[str, Any]], task: str) -> list[dict[str, str]]:
    """Return the methods of one task, as their records describe them, in the order in which tables show them."""
    found = {record["asked"]["method"]: record["method"] for record in records if record["task"] == task}
    return [
        {"label": style(name).label, "family": found[name]["family"], "source": found[name]["source"]}
        for name in in_order(found)
    ]


def _dataset(name: str, evidence: Evidence, get: Numbers) -> dict:
    dataset = evidence.datasets[name]
    classes = [
        {"label": label} | {part: get(get.protocol, "images", part, label) for part in SPLITS} for label in get.labels
    ]
    tasks = set(evidence.runs.loc[evidence.runs["dataset"] == name, "task"])
    dropped, lost = get(get.protocol, "images", "dropped"), summary(get.losses)
    sentences = [
        data_sentence(get, other_split(get, dataset)),
        f"Not used, or in doubt: {lost}." if lost else "",
        f"In no part of the split: {dropped:,}." if dropped else "",
        shortcut_sentence(get),
    ]
    return {
        "title": plain(name),
        "name": name,
        "licence": dataset.licence,
        "access": dataset.access,
        "citation": dataset.citation,
        "caveats": dataset.caveats_of(get.protocol, tasks),
        "classes": classes,
        "total": {part: get(get.protocol, "images", part) for part in SPLITS},
        "labels": labels_told(dataset, get),
        "audit": " ".join(filter(None, sentences)),
        "pixels": pixel_sentence(get, evidence.settings["image_fit"]),
    }
