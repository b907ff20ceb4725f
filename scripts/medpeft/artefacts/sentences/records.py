"""What the records of a study tell of the items of checklists for reports; see `medpeft.artefacts.checklists`."""

from collections.abc import Mapping
from typing import Any

from medpeft.artefacts.card import Numbers, counted, data_sentence, other_split
from medpeft.artefacts.selection import NOT_PEFT
from medpeft.artefacts.sentences import tested
from medpeft.artefacts.sentences.captions import pretraining
from medpeft.artefacts.sentences.told import Entry, Told
from medpeft.artefacts.words import percent, spaced
from medpeft.base.losses import summary
from medpeft.data.split import SPLITS
from medpeft.statistics.metrics import METRICS


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


RECIPE = (
    *("epochs", "min_steps", "steps", "batch_size", "weight_decay", "warmup", "crop_scale", "precision"),
    *("class_weights", "batchnorm"),
)


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
    Entry("Rare classes", (), ("13",), tested.rare_classes),
    Entry("Output", (), ("15",), tested.output),
    Entry("Metrics", (28,), ("12e",), _measures),
    Entry("Uncertainty", (29,), (), _uncertainty),
    Entry("Internal test", (32,), (), tested.internal),
    Entry("External test", (33,), (), tested.external),
    Entry("Flow", (35,), ("20a",), _flow),
    Entry("Subgroups", (), ("14", "23b"), tested.subgroups),
    Entry("Performance", (37, 38), ("23a",), tested.performance),
    Entry("Mistakes", (39,), (), tested.mistakes),
    Entry("Limitations", (40,), ("26",), _limits),
    Entry("Protocol", (42,), ("18c",), _protocol),
    Entry("Code", (43,), ("18f",), _availability),
    Entry("Access to the data", (), ("18e",), _data_access),
)
