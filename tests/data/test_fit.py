"""An image that is not square is cropped, padded or squashed, as the study chooses, and what that costs is counted."""

import numpy as np
import pandas as pd
import pytest
import torch
from pictures import encoded, gradient, square
from PIL import Image

from medpeft.data.augmentation import evaluation_batch, training_batch
from medpeft.data.decode import decode
from medpeft.data.stored.appearance import APPEARANCE_COLUMNS, alarming, measures, sentences
from medpeft.pipeline.study import fitted_folder, stored_size

TALL = np.full((1000, 500), 40, np.uint8)
TALL[:100, 200:300] = 250  # a bright patch at the top


@pytest.mark.parametrize("turned", [False, True], ids=["tall", "wide"])
def test_what_lies_at_the_edge_is_seen_unless_it_is_cropped(turned):
    content = encoded(Image.fromarray(TALL.T if turned else TALL))
    assert square(content, 64).max() < 50
    for fit in ("pad", "squash"):
        stored = square(content, stored_size(64, fit), fit=fit)
        seen = evaluation_batch(torch.from_numpy(stored[None]), 64)
        assert float(seen.max()) > 1.5
        assert stored.max() > 240


def test_padding_is_black_on_both_sides_and_keeps_the_aspect_ratio():
    padded = square(encoded(Image.fromarray(TALL)), 64, fit="pad")
    assert (padded[:, :16] == 0).all()
    assert (padded[:, 48:] == 0).all()
    expected = Image.fromarray(TALL).convert("RGB").resize((32, 64), Image.Resampling.BICUBIC)
    assert np.array_equal(padded[:, 16:48], np.asarray(expected))


def test_squashing_fills_the_square():
    expected = Image.fromarray(TALL).convert("RGB").resize((64, 64), Image.Resampling.BICUBIC)
    assert np.array_equal(square(encoded(Image.fromarray(TALL)), 64, fit="squash"), np.asarray(expected))


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_a_square_image_is_the_same_under_each(fit):
    content = encoded(Image.fromarray(gradient()))
    assert np.array_equal(square(content, 32, fit=fit), square(content, 32))


@pytest.mark.parametrize("shape", [(1, 1000), (1000, 1), (3, 1000)])
@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_an_extreme_shape_has_a_place(shape, fit):
    assert square(encoded(Image.fromarray(np.full(shape, 200, np.uint8))), 40, fit=fit).max() == 200


def test_images_of_different_fits_lie_apart_and_cropped_ones_where_they_were():
    assert [fitted_folder(stored_size(64, fit), fit) for fit in ("crop", "pad", "squash")] == [
        "73px",
        "64px_pad",
        "64px_squash",
    ]


def table(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame([(f"i{i}", *row) for i, row in enumerate(rows)], columns=APPEARANCE_COLUMNS)


SOUND = (100, 100, 0, 0, 0, 0)


def test_what_is_lost_to_cropping_is_said_with_its_share():
    found = measures(table(SOUND, (500, 1000, 0, 0, 0, 0)), "crop")
    assert found["cut_area"] / found["area"] == 250_000 / 510_000
    (sentence,) = sentences(found.__getitem__, "crop")
    assert (
        sentence
        == "1 image is not square and cropped to the centre square, which cuts off 49.0 % of the area of all images."
    )
    assert alarming(found, "crop") == [sentence]


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_what_is_kept_is_said_and_alarms_nobody(fit):
    found = measures(table(SOUND, (500, 1000, 0, 0, 0, 0)), fit)
    assert found["cut_area"] == 0
    assert sentences(found.__getitem__, fit)[0].startswith("1 image is not square and ")
    assert alarming(found, fit) == []


def test_a_small_loss_is_said_on_the_card_alone():
    found = measures(table((1000, 1001, 0, 0, 0, 0)), "crop")
    assert len(sentences(found.__getitem__, "crop")) == 1
    assert alarming(found, "crop") == []


def test_blank_images_and_values_that_are_none_are_counted():
    rows = [(9, 9, 0, 0, 1, 0), (9, 9, 0, 0, 0, 1), (9, 9, 0, 0, 0, 1), (9, 9, 5, 0, 0, 0), (9, 9, 0, 7, 0, 0)]
    said = " ".join(alarming(measures(table(*rows), "crop"), "crop"))
    assert "1 image is of one single colour." in said
    assert "2 images are nearly black." in said
    assert "1 image is with values that are no numbers or infinite" in said
    assert "padding" not in said
    assert "padding" in " ".join(sentences(measures(table(*rows), "crop").__getitem__, "crop"))


def test_of_sound_images_nothing_is_said():
    assert sentences(measures(table(SOUND, SOUND), "crop").__getitem__, "crop") == []


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize(
    ("pixels", "constant", "nearly_black"),
    [
        (np.full((80, 40), 77, np.uint8), True, False),
        (np.zeros((80, 40), np.uint8), True, False),
        (np.full((80, 40), 500, np.uint16), True, False),
        (np.tile(np.arange(40, dtype=np.uint8) % 12, (80, 1)), False, True),
        (gradient(80, 40), False, False),
    ],
    ids=["grey", "black", "deep", "dim", "sound"],
)
def test_blank_images_are_told_from_sound_ones(pixels, constant, nearly_black, fit):
    from medpeft.data.formats.picture import Reading

    found = decode(encoded(Image.fromarray(pixels)), 32, "x", Reading(fit))
    assert (found.constant, found.nearly_black) == (constant, nearly_black)


def batch(flips: bool) -> torch.Tensor:
    images = torch.from_numpy(np.stack([np.stack([gradient(32, 32)] * 3, axis=2)] * 64))
    return training_batch(images, 24, (0.5, 1.0), torch.Generator().manual_seed(0), flips)


def test_half_of_the_training_images_are_mirrored_unless_the_study_forbids_it():
    def rising(images: torch.Tensor) -> torch.Tensor:
        return images[:, 0, :, -4:].mean((1, 2)) > images[:, 0, :, :4].mean((1, 2))

    mirrored, kept = batch(True), batch(False)
    assert 20 < int(rising(mirrored).sum()) < 44
    assert rising(kept).all()
    same = rising(mirrored)
    assert torch.equal(mirrored[same], kept[same])  # the crops are those of before
    assert torch.allclose(mirrored[~same].flip(3), kept[~same], atol=1e-5)
