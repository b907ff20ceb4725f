"""The card of a dataset says what it holds and how it is obtained, and the audit's findings in words."""

from dataclasses import replace

import pandas as pd
import pytest

from medpeft.artefacts.card import Numbers, Shown, audit_sentence, card, data_sentence, other_split
from medpeft.base.losses import Losses
from medpeft.data import registry
from medpeft.data.audit import AUDIT_COLUMNS, audit, with_appearance
from medpeft.data.dataset import Caveat
from medpeft.data.duplicates import REFERENCE
from medpeft.data.split import split
from medpeft.data.stored.appearance import APPEARANCE_COLUMNS
from medpeft.data.user_dataset import user_dataset
from medpeft.pipeline.study import Study

NO_PAIRS = pd.DataFrame(columns=["first", "second", "kind", "similarity", "same_label", "same_group"])
NO_PAIRS = NO_PAIRS.astype({"same_label": bool})
NO_AUDIT = pd.DataFrame([("", "images", "all", "", 1)], columns=AUDIT_COLUMNS)
GRID = {"datasets": ["mine"], "backbones": ["resnet18"], "methods": ["full"], "fractions": [1], "seeds": [0]}
OWN = Study({"study": "toy", "datasets": {"mine": {"classes": ["a", "b"]}}, "experiments": {"table2": GRID}}).settings[
    "datasets"
]["mine"]


@pytest.fixture(scope="module")
def manifest() -> pd.DataFrame:
    """120 images of 60 patients in two classes, whose source tells the class but for 10 images."""
    table = pd.DataFrame({"image_id": [f"i{i:03d}" for i in range(120)]})
    table["group_id"] = [f"p{i // 2}" for i in range(120)]
    table["label"] = ["benign" if i % 4 < 2 else "malignant" for i in range(120)]
    source = ["east" if label == "benign" else "west" for label in table["label"]]
    return table.assign(source=["west"] * 10 + source[10:])


def audited(manifest: pd.DataFrame, protocol: str) -> pd.DataFrame:
    return audit(manifest, NO_PAIRS, split(manifest, NO_PAIRS, protocol), protocol, seed=0)


def test_the_card_counts_classes_splits_and_groups(manifest):
    lines = card("busi", registry.load("busi"), audited(manifest, "grouped"), "grouped").splitlines()
    assert lines[0] == "# BUSI breast ultrasound (`busi`)"
    assert "| benign | 60 | 42 | 6 | 12 |" in lines
    assert "| all images | 120 | 84 | 12 | 24 |" in lines
    assert "| groups | 60 | 42 | 6 | 12 |" in lines


@pytest.mark.parametrize("name", registry.names())
def test_the_card_of_every_dataset_says_how_it_is_obtained(name, manifest):
    dataset = registry.load(name)
    text = card(name, dataset, audited(manifest, "paper"), "paper")
    assert all(words in text for words in (dataset.licence, dataset.access, dataset.citation, *dataset.caveats))
    assert all(f"`{archive.name}`" in text for archive in dataset.archives)
    assert all(url in text for archive in dataset.archives for url in archive.urls)
    assert ".." not in text.replace("...", "")


@pytest.mark.parametrize("protocol", ["grouped", "paper", "given"])
def test_the_sentence_names_the_split_that_was_used(manifest, protocol):
    table = split(manifest, NO_PAIRS, "grouped" if protocol == "given" else protocol)
    sentence = audit_sentence(Numbers(audit(manifest, NO_PAIRS, table, protocol, seed=0), protocol))
    ending = "this study uses that split." if protocol == "paper" else f"the {protocol} split used here leaves 0."
    assert ending in sentence
    assert "The dataset has 120 images from 60 groups" in sentence
    assert "A model that sees only which source an image comes from" in sentence


def test_a_split_is_called_published_only_where_it_is(manifest):
    """Of the user's own images no split is published, whatever the protocol is called."""
    busi, own = registry.load("busi"), user_dataset("mine", OWN)
    told = manifest.assign(split=["train"] * 80 + ["validation"] * 20 + ["test"] * 20)
    called = {
        (name, "split" in table): other_split(Numbers(audited(table, "paper"), "paper"), dataset)
        for name, dataset in {"busi": busi, "own": own}.items()
        for table in (manifest, told)
    }
    assert called == {
        ("busi", False): "a split of single images in the published sizes",
        ("busi", True): "the publisher's own split",
        ("own", False): "a split of single images at random",
        ("own", True): "the split that the images come with",
    }
    assert "published" not in card("mine", own, audited(manifest, "paper"), "paper")


@pytest.mark.parametrize("protocol", ["grouped", "paper", "given"])
def test_the_short_sentence_says_what_is_split_and_what_leaks(manifest, protocol):
    table = split(manifest, NO_PAIRS, "grouped" if protocol == "given" else protocol)
    get = Numbers(audit(manifest, NO_PAIRS, table, protocol, seed=0), protocol)
    leaked = get("paper", "leaked_images", "train-test")
    sentence = data_sentence(get, "a split of single images at random")
    assert sentence.startswith("120 images of 60 patients, lesions or eyes, 0 pairs of duplicates. ")
    assert ("It has a split of single images at random: " in sentence) == (protocol == "paper")
    assert ("keeps groups and duplicates on one side: 0 of 24 test" in sentence) == (protocol == "grouped")
    assert ("the one in the file that the study names: 0 of 24 test" in sentence) == (protocol == "given")
    assert f"{leaked} of 24" in sentence
    assert leaked > 0
    alone = manifest.assign(group_id=manifest["image_id"])
    assert "duplicates; patients are not known. " in data_sentence(Numbers(audited(alone, "grouped"), "grouped"), "x")


def test_a_caveat_of_one_protocol_or_task_is_told_there_alone():
    caveats = ("always", Caveat("split", protocol="paper"), Caveat("captions", task="text-to-image"))
    dataset = replace(registry.load("busi"), caveats=caveats)
    assert dataset.caveats_of("grouped", {"classification"}) == ["always"]
    assert dataset.caveats_of("paper", {"classification"}) == ["always", "split"]
    assert dataset.caveats_of("grouped", {"classification", "text-to-image"}) == ["always", "captions"]
    assert "- split" in card("busi", dataset, NO_AUDIT, "grouped")


def test_without_sources_the_sentence_is_silent_of_them(manifest):
    table = audited(manifest.drop(columns="source"), "grouped")
    assert "source" not in audit_sentence(Numbers(table, "grouped"))


def test_the_card_says_how_many_captions_were_cut(manifest):
    lengths = {"tiny": {"tokens": 77, "captions": 90, "cut": 1, "images": 2}}
    text = card("busi", registry.load("busi"), audited(manifest, "grouped"), "grouped", Shown(lengths=lengths))
    assert "The text encoder of tiny takes 77 tokens: it cut 1 caption of 90, those of 2 images." in text


@pytest.mark.parametrize(
    "address",
    [
        "https://user:s3cr3t@example.org/x.zip",
        "https://example.org/x.zip?X-Amz-Signature=s3cr3t",
        "https://s3cr3t%40s3cr3t@example.org/x.zip?sv=1&sig=s3cr3t",
    ],
)
def test_the_card_tells_no_secret_of_an_address(manifest, address):
    own = {"mine": {"classes": ["benign", "malignant"], "path": address}}
    study = Study({"study": "toy", "datasets": own, "experiments": {"table2": GRID}})
    mine = user_dataset("mine", study.settings["datasets"]["mine"])
    text = card("mine", mine, audited(manifest, "paper"), "paper")
    assert "example.org/x.zip" in text
    assert "s3cr3t" not in text


def test_card_and_sentence_say_what_is_lost(manifest):
    losses = Losses()
    losses.add("unlisted", *map(str, range(1200)))
    losses.add("ungrouped", "x.png")
    table = audit(manifest, NO_PAIRS, split(manifest, NO_PAIRS), "grouped", seed=0, losses=losses.table())
    words = (
        "Not used, or in doubt: images whose group is not known, each its own: 1; images that the table does not list: "
        "1,200. "
    )
    assert words in audit_sentence(Numbers(table, "grouped"))
    assert words in card("busi", registry.load("busi"), table, "grouped")
    assert "in doubt" not in card("busi", registry.load("busi"), audited(manifest, "grouped"), "grouped")


@pytest.mark.parametrize(
    ("fit", "flips", "words"),
    [
        ("crop", True, "The centre square of each image is used"),
        ("pad", True, "where it is not square. Training images are mirrored left to right at random"),
        ("squash", False, "squashed where it is not square. Training images are never mirrored."),
    ],
)
def test_the_card_says_how_images_become_square_and_whether_they_are_mirrored(manifest, fit, flips, words):
    rows = [(name, 500, 1000, 0, 0, 0, int(name == "i000")) for name in manifest["image_id"]]
    appearance = pd.DataFrame(rows, columns=APPEARANCE_COLUMNS)
    table = with_appearance(audited(manifest, "grouped"), appearance, fit)
    text = card("busi", registry.load("busi"), table, "grouped", Shown(fit, flips))
    assert words in text
    assert "120 images are not square and" in text
    assert ("cuts off 50.0 % of the area" in text) == (fit == "crop")
    assert "1 image is nearly black." in text


def sentence_of(manifest: pd.DataFrame, pairs: pd.DataFrame) -> str:
    return audit_sentence(Numbers(audit(manifest, pairs, split(manifest, NO_PAIRS), "grouped", seed=0), "grouped"))


def test_the_card_says_how_often_the_search_for_duplicates_errs(manifest):
    """By hand: with 0 errors in 120 the exact 95 % limit is 1 - 0.05 ** (1 / 120) = 2.47 %."""
    sentence = sentence_of(manifest, NO_PAIRS)
    assert "Of 120 images whose group is known, 0 (0.00 %, at most 2.47 % with 95 % confidence) are called" in sentence
    strange = pd.DataFrame([("i000", "i005", "near", 0.8, True, False)], columns=NO_PAIRS.columns)
    sentence = sentence_of(manifest, strange)
    assert (
        "2 (1.67 %, at most 5.15 % with 95 % confidence) are called a duplicate of an image of another group"
        in sentence
    )
    related = pd.DataFrame([("i000", "i001", "near", 0.8, True, True)], columns=NO_PAIRS.columns)
    assert "0 (0.00 %" in sentence_of(manifest, related)


def test_where_groups_are_unknown_the_card_says_so_and_gives_the_rate_of_other_datasets(manifest):
    sentence = sentence_of(manifest.assign(group_id=manifest["image_id"]), NO_PAIRS)
    assert "Groups are not known here, so neither is how often this search errs." in sentence
    assert f"{REFERENCE.images:,} images of {REFERENCE.datasets} datasets" in sentence
    assert "whose group is known, 0" not in sentence


def test_groups_that_are_known_of_some_images_alone_count_for_these(manifest):
    some = manifest.assign(group_id=manifest["group_id"].where(manifest.index < 20, manifest["image_id"]))
    assert "Of 20 images whose group is known" in sentence_of(some, NO_PAIRS)


def test_the_card_says_what_kind_of_labels_there_are_and_how_many_are_not_known():
    rows = [("sick|old", ""), ("", "old"), ("old", ""), ("sick", "")] * 30
    table = pd.DataFrame(rows, columns=["label", "unknown"])
    table["image_id"] = table["group_id"] = [f"i{number:03d}" for number in range(len(table))]
    study = {"classes": ["sick", "old"], "task": "multi-label", "table": "labels.csv"}
    experiment = {"datasets": ["own"], "backbones": ["resnet50"], "methods": ["full"], "fractions": [1], "seeds": [0]}
    settings = Study({"study": "s", "datasets": {"own": study}, "experiments": {"any": experiment}}).settings
    text = card("own", user_dataset("own", settings["datasets"]["own"]), audited(table, "grouped"), "grouped")
    lines = text.splitlines()
    assert "| sick | 60 | 42 | 6 | 12 |" in lines
    assert "| old | 60 | 42 | 6 | 12 |" in lines
    assert [line for line in lines if line.startswith("| old, not known | 30 |")]
    assert "An image may have several of these labels or none; of some it may not be known." in lines
    assert "- Labels that are uncertain are left out of loss and scores." in lines


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("retinamnist", "from the lowest to the highest: grade 0, grade 1, grade 2, grade 3, grade 4."),
        ("pneumoniamnist", "Labels are binary: pneumonia is the class that is looked for."),
    ],
)
def test_the_card_names_an_order_and_the_class_that_is_looked_for(name, sentence, manifest):
    assert sentence in card(name, registry.load(name), audited(manifest, "paper"), "paper")
