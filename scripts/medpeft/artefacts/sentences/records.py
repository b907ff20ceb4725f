"""What the records of a study tell of the items of checklists for reports; see `medpeft.artefacts.checklists`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from medpeft.artefacts.card import Numbers, counted, data_sentence, other_split
from medpeft.artefacts.markup import interval, number
from medpeft.artefacts.palette import style
from medpeft.artefacts.selection import NOT_PEFT
from medpeft.artefacts.sentences.captions import pretraining
from medpeft.artefacts.words import percent, plain, spaced
from medpeft.base.losses import summary
from medpeft.data.dataset import Dataset
from medpeft.data.split import SPLITS
from medpeft.statistics.metrics import METRICS


@dataclass(frozen=True)
class Told:
    """What a study has on record.

    Attributes:
        settings: The study's settings, resolved.
        runs: One row a distinct run, of classifiers and of text to image, as in `runs.csv`.
        scores: The scores of the cells, as in `scores.csv`.
        datasets, audits: What is known of each dataset, and the numbers of its audit, by name.
        records: The `record.json` of runs.
        limitations: The sentences of the section on limitations.
    """

    settings: Mapping[str, Any]
    runs: pd.DataFrame
    scores: pd.DataFrame
    datasets: Mapping[str, Dataset]
    audits: Mapping[str, Numbers]
    records: Sequence[Mapping[str, Any]] = ()
    limitations: Sequence[str] = ()

    def of_each(self, answer: Callable[[str, Numbers], str]) -> str:
        """Return the `answer` for each dataset after its title; empty answers are left out."""
        found = {name: answer(name, get) for name, get in self.audits.items()}
        return "; ".join(f"{plain(name)}: {text}" for name, text in found.items() if text)

    def values(self, column: str) -> list[str]:
        """Return the distinct values of a column of the runs."""
        return [str(value) for value in dict.fromkeys(self.runs[column].dropna())]


class Entry(NamedTuple):
    """What answers items of both checklists: their numbers, and the answer; an empty one is no answer."""

    topic: str
    claim: tuple[int, ...]
    tripod: tuple[str, ...]
    answer: Callable[[Told], str]


def _goal(told: Told) -> str:
    peft = [method for method in told.values("method") if method not in (*NOT_PEFT, "untuned")]
    return (
        f"To compare {counted(len(peft), 'PEFT method')} with other ways of training the same networks" if peft else ""
    )


def _sources(told: Told) -> str:
    return told.of_each(lambda name, _: f"{told.datasets[name].citation} ({told.datasets[name].access})")


def _used(told: Told) -> str:
    return told.of_each(
        lambda _, get: (
            f"{counted(get('', 'images', 'all'), 'image')}; not used, or in doubt: {summary(get.losses) or 'none'}"
        )
    )


def _preparation(told: Told) -> str:
    fits = {"crop": "The centre square of each image", "pad": "Each image whole, padded to a square"}
    fits["squash"] = "Each image whole, squashed to a square"
    size = told.settings["image_size"]
    flips = "mirrored at random" if told.settings["recipe"]["horizontal_flip"] else "never mirrored"
    return f"{fits[told.settings['image_fit']]}, {size} pixels wide; in training, {flips}"


def _fractions(told: Told) -> str:
    shares = sorted(set(told.runs["fraction"]))
    return f"Nested shares of the training images: {', '.join(map(percent, shares))}" if len(shares) > 1 else ""


def _contradictions(told: Told) -> str:
    return told.of_each(
        lambda _, get: (
            f"{get('', 'contradicting_pairs', 'all'):,} of "
            f"{counted(get('', 'exact_pairs', 'all') + get('', 'near_pairs', 'all'), 'pair')} of duplicates have "
            "contradicting labels"
        )
    )


PARTS = {"train": "training", "validation": "validation", "test": "test"}
PROTOCOLS = {"grouped": "groups kept whole", "paper": "as published, or image by image", "given": "as a file gives it"}


def _partitions(told: Told) -> str:
    def sizes(_: str, get: Numbers) -> str:
        parts = ", ".join(f"{get(get.protocol, 'images', part):,} for {PARTS[part]}" for part in SPLITS)
        return f"{parts} ({PROTOCOLS[get.protocol]})"

    return told.of_each(sizes)


def _separation(told: Told) -> str:
    return told.of_each(lambda name, get: data_sentence(get, other_split(get, told.datasets[name])).split(". ", 1)[1])


def _test_size(told: Told) -> str:
    return told.of_each(
        lambda _, get: f"{counted(get(get.protocol, 'images', 'test'), 'test image')}, as the split gives them"
    )


def _networks(told: Told) -> str:
    whole = told.runs.groupby("backbone", sort=False)["total_parameters"].max().dropna()
    return "; ".join(f"{name}, {count:,.0f} parameters" for name, count in whole.items())


def _software(told: Told) -> str:
    made = [record["provenance"] for record in told.records if "provenance" in record]
    if not made:
        return ""
    packages = sorted({f"{name} {version}" for one in made for name, version in one.get("packages", {}).items()})
    pythons = sorted({f"Python {one['python']}" for one in made})
    hardware = sorted({one["hardware"] for one in made if "hardware" in one})
    return f"{', '.join([*pythons, *packages])}; on {' and '.join(hardware or told.values('device'))}"


def _weights(told: Told) -> str:
    known = {name: pretraining(name) for name in told.values("backbone")}
    return "; ".join(f"{name}, {words}" for name, words in known.items() if words)


def _training(told: Told) -> str:
    recipes = {_recipe(record) for record in told.records if record.get("asked", {}).get("recipe")}
    return "; ".join(sorted(recipes))


def _recipe(record: Mapping[str, Any]) -> str:
    recipe = record["asked"]["recipe"]
    words = [f"{spaced(name)}: {recipe[name]}" for name in RECIPE if recipe.get(name) is not None]
    return ", ".join(words)


RECIPE = ("epochs", "min_steps", "steps", "batch_size", "weight_decay", "warmup", "crop_scale", "precision")


def _selection(told: Told) -> str:
    if told.scores.empty:
        return ""
    tuning, recipe = told.settings["tuning"], told.settings["recipe"]
    return (
        f"On validation alone: the rate of {counted(tuning['trials'], 'trial')} between {tuning['low']:g} and "
        f"{tuning['high']:g}, and the best of up to {counted(recipe['validations'], 'validation')} of a run"
    )


def _measures(told: Told) -> str:
    names = dict.fromkeys(told.scores["metric"]) if not told.scores.empty else {}
    return ", ".join(METRICS[name].label for name in names if name in METRICS)


def _uncertainty(told: Told) -> str:
    kept = told.scores.dropna(subset=["low"]) if "low" in told.scores else told.scores.iloc[:0]
    seeds = told.runs["seed"].nunique()
    return f"95 % intervals of {counted(len(kept), 'score')}; {counted(seeds, 'seed')}" if len(kept) else ""


def _flow(told: Told) -> str:
    return told.of_each(
        lambda _, get: (
            f"{counted(get('', 'images', 'all'), 'image')} of {counted(get('', 'groups', 'all'), 'group')}, "
            f"{get(get.protocol, 'images', 'dropped'):,} in no part of the split, by class "
            + ", ".join(f"{label} {get('', 'images', 'all', label):,}" for label in get.labels)
        )
    )


def _performance(told: Told) -> str:
    name = told.settings["primary_metric"]
    scores = told.scores[told.scores["metric"] == name].dropna(subset=["mean"]) if len(told.scores) else None
    if scores is None or scores.empty:
        return ""
    metric = METRICS[name]
    gains = (metric.sign * scores["mean"]).groupby([scores["dataset"], scores["backbone"]], sort=False)
    best = scores.loc[gains.idxmax()]
    lines = [
        f"{plain(row['dataset'])}, {row['backbone']}: {metric.label} at best {number(row['mean'])} "
        f"{interval(row.get('low', np.nan), row.get('high', np.nan))} ({style(row['method']).label})"
        for _, row in best.iterrows()
    ]
    return "; ".join(lines)


def _limits(told: Told) -> str:
    return f"{counted(len(told.limitations), 'sentence')} under Limitations" if told.limitations else ""


def _protocol(told: Told) -> str:
    made = [record["provenance"] for record in told.records if record.get("provenance", {}).get("study")]
    found = sorted({one["study"][:12] for one in made})
    return f"Settings of the study, SHA-256 {', '.join(found)}" if found else ""


def _availability(told: Told) -> str:
    commits = sorted({record.get("provenance", {}).get("commit") or "" for record in told.records} - {""})
    return f"Code at commit {', '.join(one[:12] for one in commits)}" if commits else ""


def _data_access(told: Told) -> str:
    return told.of_each(lambda name, _: f"{told.datasets[name].access}; licence: {told.datasets[name].licence}")


# What is answered here, in the order of CLAIM.
ENTRIES = (
    Entry("Goal", (6,), (), _goal),
    Entry("Sources of data", (7,), ("5a",), _sources),
    Entry("Images used", (8, 12), ("11",), _used),
    Entry("Preparation", (9,), ("7",), _preparation),
    Entry("Subsets", (10,), (), _fractions),
    Entry("Contradicting labels", (18,), (), _contradictions),
    Entry("Partitions", (19,), ("12a", "21"), _partitions),
    Entry("Separation", (20,), (), _separation),
    Entry("Size of the test set", (21,), ("10",), _test_size),
    Entry("Networks", (22,), (), _networks),
    Entry("Software and hardware", (23,), (), _software),
    Entry("Initialisation", (24,), (), _weights),
    Entry("Training", (25,), ("12c",), _training),
    Entry("Selection", (26,), (), _selection),
    Entry("Metrics", (28,), ("12e",), _measures),
    Entry("Uncertainty", (29,), (), _uncertainty),
    Entry("Flow", (35,), ("20a",), _flow),
    Entry("Performance", (37, 38), ("23a",), _performance),
    Entry("Limitations", (40,), ("26",), _limits),
    Entry("Protocol", (42,), ("18c",), _protocol),
    Entry("Code", (43,), ("18f",), _availability),
    Entry("Access to the data", (), ("18e",), _data_access),
)
