"""What is known of a dataset and its split, in words: sentences of the audit, and a card of one page."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from scipy.stats import binomtest

from medpeft.artefacts.markup import Cell, Layout, markdown
from medpeft.artefacts.words import share
from medpeft.base.losses import REASONS, summary
from medpeft.base.redaction import redacted
from medpeft.data.dataset import Archive, Dataset
from medpeft.data.duplicates import REFERENCE
from medpeft.data.labels import Labels
from medpeft.data.split import SPLITS
from medpeft.data.stored.appearance import sentences


class Numbers:
    """The numbers of an audit (see `medpeft.data.audit.audit`), 0 where it has none, for a study's `protocol`."""

    def __init__(self, audit: pd.DataFrame, protocol: str):
        table = audit.fillna({"protocol": "", "label": ""})
        self._value = table.set_index(["protocol", "measure", "scope", "label"])["value"]
        self.protocol = protocol
        self.labels = sorted(set(table.loc[table["measure"] == "images", "label"]) - {""})

    @property
    def losses(self) -> dict[str, int]:
        """What was listed and is not used, or is in doubt: numbers by reason."""
        return {reason: self("", "left_out", reason) for reason in REASONS}

    def __call__(self, protocol: str, measure: str, scope: str, label: str = "") -> int:
        return int(self._value.get((protocol, measure, scope, label), 0))


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun, as `1 image` and `2 images`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def other_split(get: Numbers, dataset: Dataset) -> str:
    """Return what the split is that the protocol `paper` makes of a dataset, as it stands within a sentence."""
    if get("paper", "told_split", "all"):
        return "the split that the images come with" if dataset.own else "the publisher's own split"
    return f"a split of single images {'in the published sizes' if dataset.sizes else 'at random'}"


def data_sentence(get: Numbers, other: str) -> str:
    """Return in a few words what a dataset holds and how it is split, for the paper; see `audit_sentence`."""
    known, groups = get("", "known_groups", "all"), get("", "groups", "all")
    pairs = get("", "exact_pairs", "all") + get("", "near_pairs", "all")
    contradicting = get("", "contradicting_pairs", "all")
    sentence = counted(get("", "images", "all"), "image")
    sentence += f" of {counted(groups, 'patient, lesion or eye', 'patients, lesions or eyes')}" if known else ""
    sentence += f", {counted(pairs, 'pair')} of duplicates"
    sentence += f" ({contradicting:,} with contradicting labels)" if contradicting else ""
    sentence += "" if known else "; patients are not known"
    test, leaked = get("paper", "images", "test"), get("paper", "leaked_images", "train-test")
    here = get(get.protocol, "leaked_images", "train-test")
    relatives = "a relative (another image of its group, or a duplicate) in training"
    if get.protocol == "paper":
        return f"{sentence}. It has {other}: {leaked:,} of {test:,} test images have {relatives}."
    kept = {
        "grouped": "The split keeps groups and duplicates on one side",
        "given": "The split is the one in the file that the study names",
    }[get.protocol]
    return (
        f"{sentence}. {kept}: {here:,} of {get(get.protocol, 'images', 'test'):,} test images have {relatives}, under "
        f"{other} {leaked:,} of {test:,}."
    )


def audit_sentence(get: Numbers, other: str = "a split of single images at random") -> str:
    """Return what the audit found: duplicates, what the `other_split` leaks, what the source alone tells."""
    sentence = (
        f"The dataset has {counted(get('', 'images', 'all'), 'image')} from "
        f"{counted(get('', 'groups', 'all'), 'group')} (patients, lesions or eyes; the image itself where unknown) "
        f"with {counted(get('', 'exact_pairs', 'all'), 'pair')} of exact and {get('', 'near_pairs', 'all'):,} of near "
        f"duplicates, {get('', 'contradicting_pairs', 'all'):,} of them with contradicting labels. "
        f"{_errors_sentence(get)} "
    )
    if lost := summary(get.losses):
        sentence += f"Not used, or in doubt: {lost}. "
    if dropped := get(get.protocol, "images", "dropped"):
        sentence += f"{counted(dropped, 'image takes', 'images take')} no part in the split. "
    leaked, test = get("paper", "leaked_images", "train-test"), get("paper", "images", "test")
    sentence += f"{other[0].upper()}{other[1:]} leaves {leaked:,} of {test:,} test images with a relative in training"
    if get.protocol == "paper":
        sentence += "; this study uses that split."
    else:
        here = get(get.protocol, "leaked_images", "train-test")
        sentence += f"; the {get.protocol} split used here leaves {here:,}."
    return " ".join(filter(None, [sentence, shortcut_sentence(get)]))


def _errors_sentence(get: Numbers) -> str:
    """Return how often the search for duplicates errs: on this dataset where groups are known, else on others."""
    if known := get("", "known_groups", "all"):
        doubted = get("", "doubted_images", "all")
        return (
            f"Of {counted(known, 'image')} whose group is known, {doubted:,} ({_share(doubted, known)}) "
            f"{'is' if doubted == 1 else 'are'} called a duplicate of an image of another group, where either the "
            "search or the group is wrong."
        )
    return (
        "Groups are not known here, so neither is how often this search errs. On the "
        f"{counted(REFERENCE.images, 'image')} of {REFERENCE.datasets} datasets whose groups are known, it called "
        f"{REFERENCE.doubted:,} a duplicate of an image of another group, and by eye {REFERENCE.wrong:,} of these "
        f"wrongly ({_share(REFERENCE.wrong, REFERENCE.images)})."
    )


def _share(count: int, total: int) -> str:
    """Return a share with its exact 95 % confidence limit from above."""
    limit = binomtest(count, total, alternative="less").proportion_ci(method="exact").high
    return f"{share(count / total, 2)}, at most {share(limit, 2)} with 95 % confidence"


def shortcut_sentence(get: Numbers) -> str:
    """Return what a model gets right that sees only the source of an image; empty where sources are not told."""
    right, majority = (get(get.protocol, f"{kind}_right", "test") for kind in ("source", "majority"))
    if not right:
        return ""
    test = get(get.protocol, "images", "test")
    return (
        f"A model that sees only which source an image comes from, and not the image, gets {right:,} of {test:,} test "
        f"images right ({share(right / test)}); one that always answers the most frequent class, {majority:,} "
        f"({share(majority / test)})."
    )


def captions_sentence(pipeline: str, lengths: Mapping[str, int]) -> str:
    """Return how many captions the text encoder of a diffusion `pipeline` cut; see `generation.encode.Encoded`."""
    cut = counted(lengths["cut"], "caption")
    return (
        f"The text encoder of {pipeline} takes {lengths['tokens']:,} tokens: it cut {cut} of "
        f"{lengths['captions']:,}, those of {counted(lengths['images'], 'image')}."
    )


def pixel_sentence(get: Numbers, fit: str) -> str:
    """Return what was found in the pixels of a dataset's images; empty where there is nothing to say."""
    return " ".join(sentences(lambda measure: get("", measure, "all"), fit))


def _made_square(fit: str, flips: bool) -> str:
    """Return how images become what a classifier sees."""
    seen = {
        "crop": "The centre square of each image is used; evaluation sees the central 87.5 % of its sides",
        "pad": "Each image is used whole, with black borders where it is not square",
        "squash": "Each image is used whole, squashed where it is not square",
    }[fit]
    mirrored = "mirrored left to right at random: a class must not depend on the side" if flips else "never mirrored"
    return f"{seen}. Training images are {mirrored}."


_OF_FIRST = ", one a seed: here and below, that of the first"


@dataclass(frozen=True)
class Shown:
    """What networks see of a dataset.

    Attributes:
        fit: How images become square.
        flips: Whether training images are mirrored at random.
        per_seed: Whether each seed has its own split.
        lengths: What the text encoder of each diffusion pipeline took of its captions.
    """

    fit: str = "crop"
    flips: bool = True
    per_seed: bool = False
    lengths: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def card(name: str, dataset: Dataset, audit: pd.DataFrame, protocol: str, shown: Shown = Shown()) -> str:
    """Return the card of a dataset as Markdown.

    Args:
        name: Of the dataset in a study.
        dataset: What is known of it.
        audit: The numbers of its images and groups, see `medpeft.data.audit.audit`.
        protocol: That it was split under.
        shown: What networks see of it.
    """
    get = Numbers(audit, protocol)
    known = {
        "Licence": dataset.licence,
        "Access": dataset.access,
        "Citation": dataset.citation,
        "Archives": "; ".join(map(_archive, dataset.archives)),
    }
    paragraphs = [
        f"# {dataset.title} (`{name}`)",
        markdown(_counts(get, dataset.told_labels())).rstrip(),
        *labels_sentences(dataset.told_labels()),
        f"Split `{protocol}`{_OF_FIRST * shown.per_seed}. Groups are patients, lesions, eyes or reports, as far as "
        "they are known.",
        audit_sentence(get, other_split(get, dataset)),
        " ".join(filter(None, [_made_square(shown.fit, shown.flips), pixel_sentence(get, shown.fit)])),
        *(captions_sentence(pipeline, found) for pipeline, found in shown.lengths.items()),
        "\n".join(f"- **{word}**: {text}." for word, text in known.items()),
        "## Beware",
        "\n".join(f"- {caveat}" for caveat in dataset.caveats),
    ]
    return "\n\n".join(paragraphs) + "\n"


def labels_sentences(labels: Labels) -> list[str]:
    """Return in words what kind of labels there are; nothing of classes that exclude each other and have no order."""
    said = {
        "binary": f"Labels are binary: {labels.positive} is the class that is looked for.",
        "ordinal": f"Labels are ordinal, from the lowest to the highest: {', '.join(labels.classes)}.",
        "multi-label": "An image may have several of these labels or none; of some it may not be known.",
    }
    return [said[labels.task]] if labels.task in said else []


def _counts(get: Numbers, labels: Labels) -> Layout:
    """Return images per class, and groups, of the whole dataset and of its splits."""
    scopes = [("", "all"), *((get.protocol, split) for split in SPLITS)]
    kinds = [("images", label, label) for label in labels.classes]
    kinds += [("images", "", "all images"), ("groups", "", "groups")]
    unknown = {label for label in labels.classes if get("", "unknown_labels", "all", label)}
    kinds += [("unknown_labels", label, f"{label}, not known") for label in labels.classes if label in unknown]
    rows = [
        [Cell(title), *(Cell(f"{get(protocol, measure, scope, label):,}") for protocol, scope in scopes)]
        for measure, label, title in kinds
    ]
    return Layout(["Class", "Dataset", *SPLITS], {"": rows})


def _archive(archive: Archive) -> str:
    places = "generated here" if archive.generate else redacted(", ".join(archive.urls)) or "no public address"
    return f"`{archive.name}` ({places}{f'; {archive.checksum}' if archive.checksum else ''})"
