"""No cluster is cut, every class is in every split, and the sizes are those asked for."""

import numpy as np
import pandas as pd
import pytest

from medpeft.base.errors import UserError
from medpeft.data.split import SPLITS, apportion, clusters, read_given, split, strangers

SEEDS = range(8)
NO_PAIRS = pd.DataFrame({"first": [], "second": [], "same_label": []}).astype({"same_label": bool})


def manifest(groups: list[int], labels: list[str]) -> pd.DataFrame:
    """Return a manifest with groups of the given sizes, the images of the i-th labelled `labels[i]`."""
    rows = [(f"g{i}", label) for i, (size, label) in enumerate(zip(groups, labels, strict=True)) for _ in range(size)]
    table = pd.DataFrame(rows, columns=["group_id", "label"])
    return table.assign(image_id=[f"i{i:04d}" for i in range(len(table))])


def patients(seed: int, number: int = 200) -> pd.DataFrame:
    """Return patients with one to six images each, in classes of 60, 30 and 10 %, their rows shuffled."""
    random = np.random.default_rng(seed)
    labels = random.choice(["a", "b", "c"], size=number, p=[0.6, 0.3, 0.1])
    return manifest(random.integers(1, 7, number), labels).sample(frac=1, random_state=seed, ignore_index=True)


def links(table: pd.DataFrame, *pairs: tuple[int, int], kind: str = "exact") -> pd.DataFrame:
    """Return duplicate pairs of the rows of `table` with these numbers."""
    first, second = (table.iloc[[pair[side] for pair in pairs]].reset_index(drop=True) for side in (0, 1))
    agree = first["label"] == second["label"]
    return pd.DataFrame({"first": first["image_id"], "second": second["image_id"], "kind": kind, "same_label": agree})


def random_links(table: pd.DataFrame, seed: int, number: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return links(table, *(sorted(random.choice(len(table), 2, replace=False)) for _ in range(number)))


@pytest.mark.parametrize("seed", SEEDS)
def test_grouped_cuts_no_group_and_no_pair_of_duplicates(seed):
    table = patients(seed)
    pairs = random_links(table, seed)
    split_of = split(table, pairs, seed=seed).set_index("image_id")["split"]
    assert (table.groupby("group_id")["image_id"].agg(lambda ids: split_of[ids].nunique()) == 1).all()
    assert (split_of[pairs["first"]].to_numpy() == split_of[pairs["second"]].to_numpy()).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sizes", [None, (584, 77, 119)])
def test_grouped_is_stratified(seed, sizes):
    table = patients(seed)
    result = split(table, NO_PAIRS, seed=seed, sizes=sizes)
    shares = np.array(sizes or (70, 10, 20)) / sum(sizes or (100,))
    counts = pd.crosstab(table["label"], result["split"])[list(SPLITS)]
    target = counts.sum(axis=1).to_numpy()[:, None] * shares
    assert (np.abs(counts - target) <= 3).all(axis=None)  # groups have up to 6 images


@pytest.mark.parametrize("protocol", ["grouped", "paper"])
@pytest.mark.parametrize("seed", SEEDS)
def test_single_images_meet_the_sizes_exactly_in_each_class(protocol, seed):
    table = manifest([1] * 780, ["a"] * 437 + ["b"] * 210 + ["c"] * 133)
    result = split(table, NO_PAIRS, protocol, seed=seed, sizes=(584, 77, 119))
    counts = pd.crosstab(table["label"], result["split"])[list(SPLITS)]
    assert counts.sum().tolist() == [584, 77, 119]
    assert (np.abs(counts - np.outer([437, 210, 133], [584, 77, 119]) / 780) < 1.01).all(axis=None)


def test_paper_splits_images_of_one_group():
    table = patients(0)
    split_of = split(table, NO_PAIRS, "paper").set_index("image_id")["split"]
    assert table.groupby("group_id")["image_id"].agg(lambda ids: split_of[ids].nunique()).max() == 3


@pytest.mark.parametrize("protocol", ["grouped", "paper"])
def test_a_split_is_complete_repeatable_and_changes_with_the_seed(protocol):
    table = patients(0)
    pairs = random_links(table, 0)
    one, again, other = (split(table, pairs, protocol, seed=seed) for seed in (1, 1, 2))
    assert one["image_id"].tolist() == table["image_id"].tolist()
    assert set(one["split"]) == set(SPLITS)
    assert one.equals(again)
    assert not one["split"].equals(other["split"])


def test_clusters_are_what_groups_and_duplicates_connect():
    table = manifest([2, 2, 1, 1], ["a", "a", "a", "b"])
    pairs = links(table, (1, 2), (4, 5))
    assert clusters(table, pairs).tolist() == [0, 0, 0, 0, 1, 1]
    assert clusters(table, NO_PAIRS).tolist() == [0, 0, 1, 1, 2, 3]


def test_the_clusters_are_written_under_both_protocols():
    table = patients(0)
    pairs = random_links(table, 0)
    for protocol in ("grouped", "paper"):
        assert split(table, pairs, protocol)["cluster"].tolist() == clusters(table, pairs).tolist()


def test_a_cluster_whose_labels_disagree_stays_on_one_side():
    table = manifest([1] * 60, ["a", "b"] * 30)
    pairs = links(table, *((i, i + 1) for i in range(0, 20, 2)))
    split_of = split(table, pairs).set_index("image_id")["split"]
    assert (split_of[pairs["first"]].to_numpy() == split_of[pairs["second"]].to_numpy()).all()


def test_drop_keeps_the_first_of_each_set_and_none_that_disagrees():
    table = manifest([1] * 60, ["a"] * 30 + ["b"] * 30)
    pairs = links(table, (0, 1), (1, 2), (5, 9), (10, 40), (50, 51), (51, 11))
    kept = split(table, pairs, duplicates="drop")["image_id"]
    gone = {1, 2, 9, 10, 40, 50, 51, 11}
    assert kept.tolist() == [name for i, name in enumerate(table["image_id"]) if i not in gone]


def test_patients_that_a_dropped_copy_links_stay_together():
    table = manifest([2] * 40, ["a"] * 40)
    pairs = links(table, *((4 * i + 1, 4 * i + 2) for i in range(20)))
    result = split(table, pairs, duplicates="drop").merge(table, on="image_id")
    assert len(result) == 60
    assert (result.groupby(result["group_id"].str[1:].astype(int) // 2)["split"].nunique() == 1).all()


@pytest.mark.parametrize("labels", ["aa", "ab"])
def test_drop_deletes_no_image_that_looks_like_one_of_another_known_patient(labels):
    table = manifest([2] * 60, [*labels] * 30)
    pairs = links(table, (0, 2), (1, 5), (8, 20), kind="near")
    assert len(split(table, pairs, duplicates="drop")) == len(table)
    assert len(split(table, pairs.assign(kind="exact"), duplicates="drop")) < len(table)
    through = table.assign(group_id=table["group_id"].where(table.index != 1, table["image_id"]))
    chain = links(through, (0, 1), (1, 2), kind="near")  # of patient 1, of an unknown one, of patient 2
    assert len(split(through, chain, duplicates="drop")) == len(table)
    unknown = table.assign(group_id=table["image_id"])
    assert len(split(unknown, pairs, duplicates="drop")) < len(table)


def test_report_keeps_all():
    table = patients(3)
    assert len(split(table, random_links(table, 3), duplicates="report")) == len(table)


def test_fail_says_how_many_duplicates_there_are():
    table = manifest([1] * 40, ["a"] * 20 + ["b"] * 20)
    pairs = links(table, (0, 1), (2, 30), (3, 31))
    with pytest.raises(UserError, match=r"there are 3 pairs .* 2 of them with contradicting .* split\.duplicates"):
        split(table, pairs, duplicates="fail")
    assert len(split(table, NO_PAIRS, duplicates="fail")) == 40


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rare_class_is_in_every_split_as_soon_as_it_has_three_clusters(seed):
    table = manifest([1] * 203, ["a"] * 200 + ["b"] * 3)
    result = split(table, NO_PAIRS, seed=seed)
    assert set(result.loc[table["label"] == "b", "split"]) == set(SPLITS)


@pytest.mark.parametrize("protocol", ["grouped", "paper"])
def test_a_class_that_cannot_be_everywhere_is_refused_by_name(protocol):
    table = manifest([1] * 102, ["a"] * 100 + ["b"] * 2)
    with pytest.raises(UserError, match=r"class 'b' has no images for|cannot be split by class"):
        split(table, NO_PAIRS, protocol)


def test_a_class_that_is_dropped_whole_is_refused_by_name():
    table = manifest([1] * 42, ["a"] * 40 + ["b"] * 2)
    with pytest.raises(UserError, match="class 'b' has no images for train and validation and test"):
        split(table, links(table, (0, 40), (1, 41)), duplicates="drop")


def given(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return a table that puts the images of `table` into the splits of these names in turn."""
    return pd.DataFrame({"split": [names[i % len(names)] for i in range(len(table))], "image_id": table["image_id"]})


@pytest.mark.parametrize("protocol", ["grouped", "paper"])
def test_a_split_from_outside_is_taken_as_it_is(protocol):
    table = patients(0)
    asked = given(table, *SPLITS, "train", "train").sample(frac=1, random_state=0)
    result = split(table, NO_PAIRS, protocol, given=asked)
    assert result["image_id"].tolist() == table["image_id"].tolist()
    assert result.set_index("image_id")["split"].to_dict() == asked.set_index("image_id")["split"].to_dict()
    assert result["cluster"].tolist() == clusters(table, NO_PAIRS).tolist()


def test_images_on_one_side_alone_are_left_out_and_counted():
    table = patients(0)
    asked = given(table, *SPLITS).iloc[10:]
    asked = pd.concat([asked, pd.DataFrame({"image_id": ["vanished"], "split": ["test"]})])
    assert split(table, NO_PAIRS, given=asked)["image_id"].tolist() == table["image_id"].tolist()[10:]
    losses = strangers(asked, table)
    assert losses.names("strangers") == ["vanished"]
    with pytest.raises(UserError, match=r"dataset lacks: 1, such as 'vanished'.*accept: {chest: {strangers: 1}}"):
        losses.refuse("the given split", "chest", {})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_split_from_outside_is_read_as_any_table(tmp_path, encoding, separator):
    rows = [["split", "image_id", "note"], ["train", "Größe 1.png", "x"], ["test ", "001", ""]]
    (tmp_path / "split.csv").write_bytes("\r\n".join(map(separator.join, rows)).encode(encoding))
    assert read_given(tmp_path / "split.csv").to_dict("list") == {
        "image_id": ["Größe 1.png", "001"],
        "split": ["train", "test"],
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", r"split\.csv is no table \(its first line names no columns\): save it as CSV"),
        ("image_id,split\na,train\nb\n", "line 3 has 1 values where the first one has 2"),
        ("image;split\na;train\n", r"split\.csv, lacks the columns image_id; it has image, split"),
    ],
)
def test_what_is_no_split_is_named_with_its_file(tmp_path, content, sentence):
    (tmp_path / "split.csv").write_text(content)
    with pytest.raises(UserError, match=sentence):
        read_given(tmp_path / "split.csv")


def test_dropped_duplicates_leave_a_split_from_outside_too():
    table = manifest([1] * 60, ["a"] * 60)
    result = split(table, links(table, (0, 1)), duplicates="drop", given=given(table, *SPLITS))
    assert result["image_id"].tolist() == [name for name in table["image_id"] if name != "i0001"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda asked: asked[:0], "the given split names no image: add rows"),
        (lambda asked: pd.concat([asked, asked[:1]]), "the given split names 'i0000' twice"),
        (
            lambda asked: asked.replace("validation", "val"),
            r"into 'val': correct that to one of train, validation, test",
        ),
        (lambda asked: asked.assign(image_id="x" + asked["image_id"]), "such as 'xi0000', none of which is in the"),
        (
            lambda asked: asked.assign(split="train"),
            r"class 'a' has no images for validation and test.*clusters .*: give it some there.* split\.files names",
        ),
    ],
)
def test_a_split_from_outside_that_does_not_fit_is_refused(change, sentence):
    table = manifest([1] * 60, ["a"] * 60)
    with pytest.raises(UserError, match=sentence):
        split(table, NO_PAIRS, given=change(given(table, *SPLITS)))


def test_an_own_split_without_validation_is_refused_with_what_can_be_done():
    table = patients(0)
    table["split"] = ["train", "test"] * (len(table) // 2) + ["train"] * (len(table) % 2)
    with pytest.raises(UserError, match=r"for validation.*under .* split\.files, or set split\.protocol to grouped"):
        split(table, NO_PAIRS, "paper")
    assert set(split(table, NO_PAIRS)["split"]) == set(SPLITS)


def test_the_publishers_own_split_is_the_published_protocol():
    table = patients(0)
    table["split"] = given(table, *SPLITS)["split"]
    assert split(table, NO_PAIRS, "paper", sizes=(1, 1, 1))["split"].tolist() == table["split"].tolist()
    with pytest.raises(UserError, match=r"the dataset's own split puts 1 images, such as 'i.*', into '': correct that"):
        split(table.replace({"split": {"test": ""}}).iloc[:3], NO_PAIRS, "paper")


@pytest.mark.parametrize(
    ("total", "weights", "expected"),
    [
        (780, (584, 77, 119), (584, 77, 119)),
        (100, (0.7, 0.1, 0.2), (70, 10, 20)),
        (10, (1, 1, 1), (4, 3, 3)),
        (3, (0.7, 0.1, 0.2), (1, 1, 1)),
        (4, (0.98, 0.01, 0.01), (2, 1, 1)),
        (2, (0.7, 0.1, 0.2), (1, 0, 1)),
        (0, (1, 1, 1), (0, 0, 0)),
    ],
)
def test_apportionment(total, weights, expected):
    assert apportion(total, weights) == expected
