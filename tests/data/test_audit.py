"""The audit counts what is there: checked by counting again, and on a split that leaks by construction."""

import numpy as np
import pandas as pd
import pytest

from medpeft.base.losses import Losses
from medpeft.data.audit import audit, leak, picture
from medpeft.data.split import split

# image, group, label and split, which leak
IMAGES = [
    ("i0", "p", "a", "train"),
    ("i1", "p", "a", "test"),
    ("i2", "q", "b", "test"),
    ("i3", "r", "a", "train"),
    ("i4", "s", "b", "validation"),
    ("i5", "t", "b", "train"),
    ("i6", "u", "a", "validation"),
    ("i7", "v", "b", "test"),
]
MANIFEST = pd.DataFrame([row[:3] for row in IMAGES], columns=["image_id", "group_id", "label"])
SPLITS = pd.DataFrame([(row[0], row[3]) for row in IMAGES], columns=["image_id", "split"])
PAIRS = pd.DataFrame(
    [
        ("i0", "i3", "exact", 1.0, True, False),
        ("i2", "i3", "near", 0.7, False, False),
        ("i2", "i5", "near", 0.9, True, False),
        ("i4", "i7", "exact", 1.0, True, False),
    ],
    columns=["first", "second", "kind", "similarity", "same_label", "same_group"],
)


@pytest.fixture
def numbers():
    """Return a function that looks up one number in the audit of the leaking split."""
    table = audit(MANIFEST, PAIRS, SPLITS, "paper", seed=0).set_index(["protocol", "measure", "scope", "label"])[
        "value"
    ]
    return lambda *key: table[key]


def test_images_are_counted_by_class_and_split(numbers):
    assert numbers("", "images", "all", "") == 8
    assert numbers("", "images", "all", "b") == 4
    assert numbers("paper", "images", "train", "a") == 2
    assert numbers("paper", "images", "test", "") == 3
    assert numbers("paper", "images", "dropped", "") == 0


def test_groups_and_clusters_are_counted(numbers):
    assert numbers("", "groups", "all", "") == 7
    assert numbers("", "clusters", "all", "") == 3  # i0 i1 i3 i2 i5, i4 i7, i6
    assert numbers("paper", "clusters", "train", "") == 1
    assert numbers("paper", "clusters", "test", "") == 2


def test_pairs_are_counted_within_splits_and_across(numbers):
    assert numbers("", "exact_pairs", "all", "") == 2
    assert numbers("paper", "exact_pairs", "train", "") == 1
    assert numbers("paper", "near_pairs", "train-test", "") == 2
    assert numbers("paper", "exact_pairs", "validation-test", "") == 1
    assert numbers("paper", "contradicting_pairs", "train-test", "") == 1
    assert numbers("paper", "near_pairs", "train-validation", "") == 0


def test_leaks_are_images_with_a_copy_or_a_group_member_on_the_other_side(numbers):
    assert numbers("paper", "shared_groups", "train-test", "") == 1
    assert numbers("paper", "leaked_images", "train-test", "") == 2
    assert numbers("paper", "leaked_images", "train-test", "a") == 1  # i1, by its patient
    assert numbers("paper", "leaked_images", "train-test", "b") == 1  # i2, by its copies
    assert numbers("paper", "leaked_images", "validation-test", "b") == 1


def test_images_called_a_duplicate_of_another_groups_image_are_counted_where_groups_are_known(numbers):
    assert numbers("", "known_groups", "all", "") == 8
    assert numbers("", "doubted_images", "all", "") == 6  # all but i1 and i6
    unknown = MANIFEST.assign(group_id=MANIFEST["group_id"].where(MANIFEST["image_id"] != "i3", "i3"))
    table = audit(unknown, PAIRS, SPLITS, "paper", seed=0).set_index(["protocol", "measure", "scope", "label"])["value"]
    assert table["", "known_groups", "all", ""] == 7
    assert table["", "doubted_images", "all", ""] == 4  # i2 and i5, i4 and i7
    together = MANIFEST.assign(group_id="p")
    table = audit(together, PAIRS, SPLITS, "paper", seed=0).set_index(["protocol", "measure", "scope", "label"])[
        "value"
    ]
    assert table["", "doubted_images", "all", ""] == 0


def population() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return 300 images of 100 patients in two classes and 40 random pairs of duplicates."""
    random = np.random.default_rng(0)
    ids = [f"i{i:03d}" for i in range(300)]
    groups = np.repeat(np.arange(100), 3)
    table = pd.DataFrame(
        {"image_id": ids, "group_id": [f"p{g}" for g in groups], "label": np.where(groups % 3, "a", "b")}
    )
    rows = [sorted(random.choice(300, 2, replace=False)) for _ in range(40)]
    first, second = (table.iloc[[row[side] for row in rows]].reset_index(drop=True) for side in (0, 1))
    pairs = pd.DataFrame({"first": first["image_id"], "second": second["image_id"], "kind": "near", "similarity": 0.8})
    return table, pairs.assign(same_label=first["label"] == second["label"], same_group=False)


def test_a_grouped_split_leaks_nothing_and_the_image_level_one_beside_it_does():
    table, pairs = population()
    result = audit(table, pairs, split(table, pairs), "grouped", seed=0).set_index(
        ["protocol", "measure", "scope", "label"]
    )
    leaks = result["value"].xs("leaked_images", level="measure")
    assert (leaks["grouped"] == 0).all()
    split_of = split(table, pairs, "paper", seed=0).set_index("image_id")["split"]
    train, test = ([*split_of.index[split_of == name]] for name in ("train", "test"))
    group = table.set_index("image_id")["group_id"]
    linked = {*zip(pairs["first"], pairs["second"], strict=True), *zip(pairs["second"], pairs["first"], strict=True)}
    expected = [i for i in test if any(group[i] == group[j] or (i, j) in linked for j in train)]
    assert leaks["paper", "train-test", ""] == len(expected) > 0


def test_dropped_images_are_counted_and_take_no_part():
    table, pairs = population()
    unknown = table.assign(group_id=table["image_id"])
    kept = split(unknown, pairs, duplicates="drop")
    found = audit(unknown, pairs, kept, "grouped", seed=0)
    result = found.set_index(["protocol", "measure", "scope", "label"])["value"]
    assert result["grouped", "images", "dropped", ""] == 300 - len(kept) > 0
    assert sum(result["grouped", "images", name, ""] for name in ("train", "validation", "test")) == len(kept)
    assert result["grouped", "near_pairs", "train", ""] == 0
    assert result["paper", "images", "dropped", ""] == 0


def test_relatives_in_training_are_told_of_the_split_that_is_used():
    found = audit(MANIFEST, PAIRS, SPLITS, "paper", seed=0)
    total = found[(found["measure"] == "leaked_images") & (found["scope"] == "train-test") & (found["label"] == "")]
    count = int(total["value"].iloc[0])
    assert count
    assert leak(found, "paper").startswith(f"{count} test images have a relative")
    assert leak(found, "grouped") is None


def test_what_the_source_alone_tells_is_counted():
    """Worked out by hand: trained on i0 a, i3 a, i5 b, so a is the most frequent, and the source y says b."""
    sources = ["x", "x", "y", "x", "y", "y", "z", "y"]
    table = audit(MANIFEST.assign(source=sources), PAIRS, SPLITS, "paper", seed=0)
    numbers = table.set_index(["protocol", "measure", "scope", "label"])["value"]
    assert numbers["paper", "majority_right", "test", ""] == 1  # i1
    assert numbers["paper", "source_right", "test", ""] == 3  # i1 by x, i2 and i7 by y
    assert numbers["paper", "source_right", "validation", ""] == 2  # i4 by y; i6, whose source is new, by the majority


def test_without_sources_nothing_is_said_of_them(numbers):
    with pytest.raises(KeyError):
        numbers("paper", "source_right", "test", "")


def test_the_picture_shows_each_kind_with_names_and_labels():
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    figure = picture(images, MANIFEST, PAIRS)
    panels = [panel for panel in figure.subfigs if panel.axes]
    assert [panel.get_suptitle() for panel in panels] == [
        "exact, similarity 1.00",
        "exact, similarity 1.00",
        "near, similarity 0.90",
        "contradicting labels, similarity 0.70",
    ]
    last = panels[-1].axes
    assert [axes.get_title() for axes in last] == ["i2\nb", "i3\na"]
    assert all(np.array_equal(axes.images[0].get_array(), images[i]) for axes, i in zip(last, (2, 3), strict=True))


def test_a_dataset_without_duplicates_gets_a_picture_that_says_so():
    figure = picture(np.zeros((8, 32, 32, 3), np.uint8), MANIFEST, PAIRS[:0])
    assert [text.get_text() for text in figure.texts] == ["No duplicates among 8 images."]


def test_what_is_lost_is_counted_by_reason():
    losses = Losses()
    losses.add("unreadable", "a.png", "b.png")
    losses.add("unlisted", "c.png")
    table = audit(MANIFEST, PAIRS, SPLITS, "paper", seed=0, losses=losses.table())
    rows = table[table["measure"] == "left_out"]
    assert rows[["protocol", "scope", "label", "value"]].values.tolist() == [
        ["", "unreadable", "", 2],
        ["", "unlisted", "", 1],
    ]
