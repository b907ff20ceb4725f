"""Labels of every kind: those of several an image are counted, compared, split and cut one by one."""

import numpy as np
import pandas as pd
import pytest

from medpeft.base.errors import UserError
from medpeft.data.audit import audit
from medpeft.data.dataset import Archive, Dataset
from medpeft.data.duplicates import find
from medpeft.data.labels import UNKNOWN, class_counts, contradicting, is_multi_label, joined, marks, same_labels
from medpeft.data.split import SPLITS, split
from medpeft.data.subset import subset

CLASSES = ["mass", "effusion", "edema", "hernia"]
SHARES = [0.15, 0.3, 0.1, 0.03]  # of the images that have each
NO_PAIRS = pd.DataFrame({"first": [], "second": [], "kind": [], "same_label": []}).astype({"same_label": bool})


def table(*rows: tuple[str, str]) -> pd.DataFrame:
    """Return images with these labels, known and unknown."""
    ids = [f"i{number}" for number in range(len(rows))]
    return pd.DataFrame(rows, columns=["label", UNKNOWN]).assign(image_id=ids, group_id=ids)


def chest(seed: int, patients: int = 400) -> pd.DataFrame:
    """Return patients with one to four images, each with any of `CLASSES`, a tenth of the labels unknown."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(patients), random.integers(1, 5, patients))
    have = random.random((len(group), len(CLASSES))) < SHARES
    unknown = random.random(have.shape) < 0.1
    columns = [pd.DataFrame(cells, columns=CLASSES) for cells in (have & ~unknown, unknown)]
    found = pd.DataFrame({"label": joined(columns[0]), UNKNOWN: joined(columns[1])})
    return found.assign(image_id=[f"i{i:04d}" for i in range(len(group))], group_id=[f"p{i}" for i in group])


def test_labels_are_counted_and_marked_one_by_one():
    images = table(("mass|edema", ""), ("", "mass"), ("edema", "hernia|mass"))
    assert class_counts(images) == {"edema": 2, "mass": 1}
    assert class_counts(images, UNKNOWN) == {"hernia": 1, "mass": 2}
    positive, known = marks(images, ["mass", "edema", "hernia"])
    assert positive.tolist() == [[True, True, False], [False, False, False], [False, True, False]]
    assert known.tolist() == [[True, True, True], [False, True, True], [False, True, False]]


def test_classes_that_exclude_each_other_may_have_the_separator_in_their_name():
    images = pd.DataFrame({"label": ["a|b", "c", "a|b"]})
    assert not is_multi_label(images)
    assert class_counts(images) == {"a|b": 2, "c": 1}
    positive, known = marks(images, ["a|b", "c"])
    assert positive.tolist() == [[True, False], [False, True], [True, False]]
    assert known.all()


def test_what_is_not_known_contradicts_nothing():
    first = table(("mass", ""), ("mass", ""), ("mass|edema", ""), ("", ""))
    second = table(("mass", ""), ("", "mass"), ("mass", ""), ("", ""))
    assert same_labels(first, second).tolist() == [True, True, False, True]
    three = table(("mass", ""), ("", "mass"), ("", ""), ("", "mass"))
    assert contradicting(three, np.array([0, 0, 0, 1])).tolist() == [True, True, True, False]
    assert not contradicting(three.iloc[:2], np.array([0, 0])).any()


def test_equal_pictures_with_one_other_finding_contradict_each_other():
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), np.uint8)[[0, 0, 1]]
    manifest = table(("mass|edema", ""), ("mass", ""), ("", "")).assign(sha256=["x", "y", "z"])
    assert find(images, manifest)["same_label"].tolist() == [False]
    manifest[UNKNOWN] = ["", "edema", ""]
    assert find(images, manifest)["same_label"].tolist() == [True]


@pytest.mark.parametrize("protocol", ["grouped", "paper"])
@pytest.mark.parametrize("seed", range(4))
def test_every_label_is_split_in_proportion(protocol, seed):
    images = chest(seed)
    found = split(images, NO_PAIRS, protocol, seed=seed).merge(images, on="image_id")
    positive, known = marks(found, CLASSES)
    for name, share in zip(SPLITS, (0.7, 0.1, 0.2), strict=True):
        here = (found["split"] == name).to_numpy()
        assert here.mean() == pytest.approx(share, abs=0.005)
        assert known[here].sum(0) == pytest.approx(known.sum(0) * share, abs=6)
        assert positive[here].sum(0) == pytest.approx(positive.sum(0) * share, abs=2 if protocol == "paper" else 4)
    if protocol == "grouped":
        assert (found.groupby("group_id")["split"].nunique() == 1).all()


@pytest.mark.parametrize("seed", range(4))
def test_single_images_are_split_in_exactly_the_sizes_asked_for(seed):
    """Also where every image has many labels, of which each pulls another way."""
    have = np.random.default_rng(seed).random((47, len(CLASSES))) < 0.6
    images = table(*[(label, "") for label in joined(pd.DataFrame(have, columns=CLASSES))])
    for sizes in ((31, 6, 10), (27, 9, 11)):
        counts = split(images, NO_PAIRS, "paper", sizes=sizes, seed=seed)["split"].value_counts()
        assert tuple(counts[list(SPLITS)]) == sizes


@pytest.mark.parametrize(
    ("rare", "sentence"),
    [
        (("hernia", ""), r"class 'hernia' has no images that have it for validation and test, having only 1 images"),
        (("", "hernia"), r"class 'hernia' has no images known to lack it for validation and test, having only 1"),
    ],
)
def test_a_label_that_a_split_cannot_judge_is_refused(rare, sentence):
    """A score of a label needs images that have it and images that lack it."""
    common = ("", "") if rare[0] else ("hernia", "")
    last = rare if rare[0] else ("mass", "")
    images = table(*[common, ("mass|hernia" if not rare[0] else "mass", "")] * 20, last)
    with pytest.raises(UserError, match=sentence):
        split(images, NO_PAIRS)


def test_of_copies_that_contradict_each_other_none_is_kept():
    images = pd.concat([chest(0), table(("mass", ""), ("edema|mass", ""), ("mass", "edema"))], ignore_index=True)
    images["group_id"] = images["image_id"]
    pairs = pd.DataFrame({"first": ["i0"], "second": ["i1"], "kind": ["exact"], "same_label": [False]})
    kept = set(split(images, pairs, duplicates="drop")["image_id"])
    assert {"i0", "i1"}.isdisjoint(kept)
    pairs = pd.DataFrame({"first": ["i0"], "second": ["i2"], "kind": ["exact"], "same_label": [True]})
    kept = set(split(images, pairs, duplicates="drop")["image_id"])
    assert "i0" in kept
    assert "i2" not in kept


@pytest.mark.parametrize("fraction", [0.1, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_fractions_hold_every_label_in_proportion(seed, fraction):
    images = chest(0, patients=800)
    splits = pd.DataFrame({"image_id": images["image_id"], "split": "train"})
    shares = subset(images, splits, seed)
    chosen = images[images["image_id"].isin(shares.loc[shares["share"] < fraction, "image_id"])]
    assert len(chosen) == pytest.approx(fraction * len(images), abs=5)
    for name, count in class_counts(images).items():
        expected = count * fraction
        spread = 1 if name == "hernia" else 3 * np.sqrt(expected * (1 - fraction))
        assert class_counts(chosen)[name] == pytest.approx(expected, abs=spread)


def test_the_audit_counts_labels_and_those_that_are_not_known():
    images = chest(2)
    found = audit(images, NO_PAIRS.assign(similarity=[]), split(images, NO_PAIRS), "grouped", 0)
    number = found.fillna("").set_index(["protocol", "measure", "scope", "label"])["value"]
    positive, known = marks(images, CLASSES)
    for column, name in enumerate(CLASSES):
        assert number["", "images", "all", name] == positive[:, column].sum()
        assert number["", "unknown_labels", "all", name] == (~known[:, column]).sum()
        parts = [number["grouped", "images", part, name] for part in SPLITS]
        assert sum(parts) == positive[:, column].sum()
    assert number["", "images", "all", ""] == len(images)


def dataset(**options) -> Dataset:
    texts = dict.fromkeys(["licence", "access", "citation"], "x")
    return Dataset(
        "Toy", (Archive("toy.zip"),), lambda source: pd.DataFrame(), options.pop("counts"), **texts, **options
    )


TWO, THREE = dict.fromkeys("ab"), dict.fromkeys("abc")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"counts": THREE, "labels": "ordinal"}, "the task ordinal needs an order of its classes: give `classes`"),
        ({"counts": THREE, "labels": "ordinal", "classes": ("a", "b")}, "`classes` and `counts` name other classes"),
        ({"counts": THREE, "labels": "binary", "positive": "a"}, "a binary task has two classes, not 3"),
        ({"counts": TWO, "labels": "binary"}, "needs `positive`, the class that is looked for: a or b"),
        ({"counts": TWO, "labels": "binary", "positive": "c"}, "`positive` is 'c', which is none of the classes a, b"),
        ({"counts": TWO, "positive": "a"}, "`positive` belongs to the task binary, and this one is multi-class"),
        (
            {"counts": {"a|b": None, "c": None}, "labels": "multi-label", "classes": ("a|b", "c")},
            r"the class 'a\|b' has a \| in its name",
        ),
    ],
)
def test_classes_that_do_not_fit_their_kind_are_refused(options, sentence):
    with pytest.raises(UserError, match=f"the dataset 'Toy' cannot be: .*{sentence}"):
        dataset(**options)


def test_the_order_of_classes_is_that_of_the_dataset_or_of_their_names():
    assert dataset(counts=dict.fromkeys("cab")).told_labels().classes == ("a", "b", "c")
    ordered = dataset(counts=THREE, labels="ordinal", classes=("c", "a", "b")).told_labels()
    assert ordered.entry() == {"task": "ordinal", "classes": ["c", "a", "b"], "positive": None}
