"""Images and captions of a run are those of its split and subset."""

import numpy as np
import pytest
from toy_captions import write_captioned

from medpeft.base.errors import UserError
from medpeft.training.captioned import CaptionedLatents, chosen, drawn


@pytest.fixture(scope="module")
def captioned(diffusion, tmp_path_factory) -> tuple[CaptionedLatents, CaptionedLatents]:
    """Twenty images with captions for training, ten for testing."""
    return write_captioned(diffusion, tmp_path_factory.mktemp("encoded"))


def test_rows_are_those_of_split_and_subset(captioned):
    train, test = captioned
    assert (len(train.rows), len(test.rows)) == (20, 10)
    assert list(test.rows["row"]) == list(range(30, 40))
    assert set(chosen(test.rows, 8)["image_id"]) < set(test.rows["image_id"])
    assert len(chosen(test.rows, 100)) == 10
    with pytest.raises(UserError, match="7 images, too few"):
        chosen(test.rows.head(7), 8)


def test_prompts_for_training_keep_the_proportions_of_the_classes(captioned):
    rows = captioned[0].rows.assign(share=captioned[0].rows.groupby("label").cumcount().div(10))
    sizes = rows["label"].value_counts(normalize=True)
    half = drawn(rows, 10)
    assert half["image_id"].is_unique
    np.testing.assert_allclose(half["label"].value_counts(normalize=True)[sizes.index], sizes, atol=0.15)
    more = drawn(rows, 50)
    assert len(more) == 50
    assert set(more["image_id"].value_counts()) == {2, 3}
