"""The floor: real training images of other patients against the test images, as many on both sides."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torch_scores import torch_scores, write_folder
from toy_captions import MANIFEST, write_images

from medpeft.generation.features import Extractor, features
from medpeft.generation.likeness import Likeness
from medpeft.generation.reference import DRAWS, compared_images, drawn_rows, reference

TEST = 10


def split_of(train: int = 26, shared: int = 0) -> pd.DataFrame:
    """Return a split into ten test images, `train` for training, of which `shared` are of test patients, and others."""
    names = ["test"] * TEST + ["train"] * train + ["validation"] * (40 - TEST - train)
    clusters = np.arange(40) // 2
    clusters[TEST : TEST + shared] = 0
    return MANIFEST[["image_id"]].assign(split=names, cluster=clusters)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """The file of forty stored images of 37 pixels."""
    return write_images(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def extractor(lite0) -> Extractor:
    """EfficientNet-Lite0, as the default study has it."""
    return Extractor("efficientnet_lite0", lite0, 1, "cpu")


def test_each_draw_has_as_many_images_as_there_are_test_images_of_other_patients():
    split = split_of(shared=4)
    compared = compared_images(MANIFEST, split, 100)
    drawn, pool = drawn_rows(MANIFEST, split, compared)
    assert pool == 22
    assert drawn.shape == (DRAWS, TEST)
    assert set(drawn.ravel()) <= set(range(14, 36))  # training images, and none of a test patient
    assert all(len(set(draw)) == TEST for draw in drawn)
    assert len({tuple(sorted(draw)) for draw in drawn}) == DRAWS
    leaving = pd.DataFrame({"cluster": split["cluster"].to_numpy()[drawn].ravel()})
    leaving["group"] = np.tile(compared["group"], DRAWS)
    assert (leaving.groupby("cluster")["group"].nunique() == 1).all()  # a patient leaves as a whole


def test_test_images_are_the_same_for_every_run_and_their_groups_hold_whole_patients():
    compared = compared_images(MANIFEST, split_of(), 8)
    assert len(compared) == 8
    assert compared["row"].is_monotonic_increasing
    pd.testing.assert_frame_equal(compared, compared_images(MANIFEST, split_of(), 8))
    assert (compared.groupby("cluster")["group"].nunique() == 1).all()


def test_the_floor_is_the_mean_over_draws_of_real_images_beside_test_images(images, extractor, tmp_path):
    found = reference(images, MANIFEST, split_of(), 100, 32, extractor)
    drawn, _ = drawn_rows(MANIFEST, split_of(), compared_images(MANIFEST, split_of(), 100))
    stored = np.load(images)[:, 2:34, 2:34]
    test = write_folder(tmp_path / "test", stored[:TEST])
    expected = torch_scores(write_folder(tmp_path / "first", stored[drawn[0]]), test, extractor)[:2]
    scores = np.array(
        [Likeness(features([stored[draw]], extractor), found.features).scores(np.ones(TEST, int))[0] for draw in drawn]
    )
    assert scores[0, :2] == pytest.approx(expected, rel=1e-3)
    assert [found.floor["floor_fid"], found.floor["floor_kid"]] == pytest.approx(scores[:, :2].mean(0), rel=1e-3)
    floor = found.floor
    assert found.features.shape == (TEST, 1280)
    assert (floor["floor_draws"], floor["floor_pool"], floor["features"]) == (DRAWS, 26, 1280)
    assert floor["floor_fid_low"] < floor["floor_fid"] < floor["floor_fid_high"]
    assert floor["floor_kid_low"] < floor["floor_kid"] < floor["floor_kid_high"]


@pytest.mark.parametrize(("train", "shared", "pool"), [(9, 0, 9), (13, 4, 9)])
def test_with_fewer_training_images_than_test_images_there_is_no_floor(images, extractor, train, shared, pool):
    floor = reference(images, MANIFEST, split_of(train, shared), 100, 32, extractor).floor
    assert (floor["floor_pool"], floor["floor_draws"]) == (pool, 0)
    assert floor["floor_fid"] is floor["floor_kid_low"] is None
