"""Copies of training images are flagged, whatever was done to them, and images of other patients are not."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from medpeft.base.errors import UserError
from medpeft.data.simulators.breast import draw_patient
from medpeft.generation.copies import (
    MEMORISATION_COLUMNS,
    MEMORISATION_FACTS,
    Memorisation,
    copies,
    find_copies,
    side_by_side,
    windows,
)

SIZE = 56
TRAINING, REAL, OTHERS = 40, 110, 40


@pytest.fixture(scope="module")
def images() -> dict[str, np.ndarray]:
    """Images of as many simulated patients: for training, for the reference, and neither."""
    labels = ["benign", "malignant", "normal"]
    numbers = range(TRAINING + REAL + OTHERS)
    files = [BytesIO(draw_patient(number, labels[number % 3], 1)[1][0]) for number in numbers]
    drawn = np.stack([_sized(Image.open(file)) for file in files])
    training, real, others = np.split(drawn, [TRAINING, TRAINING + REAL])
    return {"training": training, "real": real, "others": others}


def _sized(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def _noisy(pixels):
    noise = np.random.default_rng(1).normal(0, 10, (*pixels.shape[:3], 1))
    return (pixels + noise).clip(0, 255).astype(np.uint8)


def _cropped(pixels):
    """Crop each to 0.85 of its side, somewhere."""
    corners = np.random.default_rng(2).uniform(0, 0.15 * SIZE, (len(pixels), 2))
    boxes = [(left, top, left + 0.85 * SIZE, top + 0.85 * SIZE) for left, top in corners]
    return np.stack(
        [np.asarray(Image.fromarray(p).resize((SIZE, SIZE), box=box)) for p, box in zip(pixels, boxes, strict=True)]
    )


def _brighter(pixels):
    return (pixels * 1.3).clip(0, 255).astype(np.uint8)


def _blurred(pixels):
    return gaussian_filter(pixels, (0, 1, 1, 0))


def _mirrored(pixels):
    return pixels[:, :, ::-1]


def _all(pixels):
    return _brighter(_noisy(_mirrored(_cropped(pixels))))


def _chunks(pixels, size=16):
    return (pixels[start : start + size] for start in range(0, len(pixels), size))


@pytest.mark.parametrize("change", [_noisy, _cropped, _brighter, _blurred, _mirrored, _all])
def test_changed_copies_are_flagged_with_their_source(change, images):
    table, facts = find_copies(change(images["training"]), images["real"], _chunks(images["training"]))
    assert facts["memorised"] == table["flagged"].mean() >= 0.95
    assert (table["nearest"] == np.arange(TRAINING)).mean() >= 0.95


@pytest.mark.parametrize("change", [lambda pixels: pixels, _blurred, _brighter, _noisy])
def test_images_of_other_patients_are_flagged_at_the_nominal_rate(change, images):
    _, facts = find_copies(change(images["others"]), images["real"], _chunks(images["training"]))
    assert (
        facts["memorised"] * OTHERS <= 2
    )  # expected are 0.4; there are more than 2 by chance less than once in 100 times
    assert facts["by_chance"] == pytest.approx(1 / (REAL + 1))
    assert (facts["generated"], facts["real"], facts["training"]) == (OTHERS, REAL, TRAINING)


def test_the_share_of_copies_among_others_is_given(images):
    mixed = np.concatenate([_noisy(images["training"][:10]), images["others"][:30]])
    table, facts = find_copies(mixed, images["real"], _chunks(images["training"]))
    assert facts["memorised"] == pytest.approx(0.25, abs=0.03)
    assert list(table["flagged"][:10]) == [True] * 10
    assert table["distance"].iloc[:10].max() < facts["threshold"]


def test_chunks_and_resolution_make_no_difference(images):
    one = find_copies(images["others"], images["real"], [images["training"]])[0]
    many = find_copies(images["others"], images["real"], _chunks(images["training"], 7))[0]
    np.testing.assert_allclose(many["distance"], one["distance"], rtol=1e-4)
    larger = images["others"].repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(
        find_copies(larger, images["real"], [images["training"]])[0]["distance"], one["distance"], atol=0.05
    )


def test_by_chance_is_what_happens_to_further_real_images(monkeypatch):
    """Over many draws of the reference, as many of other images are flagged as is said."""
    random = np.random.default_rng(0)
    monkeypatch.setattr("medpeft.generation.copies._described", lambda images: images)
    monkeypatch.setattr("medpeft.generation.copies._nearest", lambda found, training: (found.astype(int), found, 0))
    draws = [find_copies(random.random(50), random.random(250), [])[1] for _ in range(400)]
    assert {facts["by_chance"] for facts in draws} == {2 / 251}
    assert np.mean([facts["memorised"] for facts in draws]) == pytest.approx(2 / 251, abs=0.002)


@pytest.mark.parametrize("count", [1, 2])
def test_few_training_images_will_do(count, images):
    table, facts = find_copies(images["others"], images["real"][:12], [images["training"][:count]])
    assert np.isfinite(table["distance"]).all()
    assert facts["by_chance"] == pytest.approx(1 / 13)


def test_windows_cover_an_image_evenly():
    found = windows(100)
    assert found[:2] == [(0, 0, 100), (2, 2, 95)]
    assert {(100 - left - width, width) for _, left, width in found[2:]} == {
        (left, width) for _, left, width in found[2:]
    }
    assert all(start >= 0 and start + width <= 100 for top, left, width in found for start in (top, left))


def test_the_figure_names_both_images(images):
    table = pd.DataFrame({"file": ["0/00001.png"], "nearest": ["p7"], "distance": [0.31], "flagged": [True]})
    figure = side_by_side(table, images["others"][:1], images["training"][:1])
    assert [axes.get_title() for axes in figure.axes] == ["0/00001.png", "p7"]
    assert figure.subfigs[0].get_suptitle() == "distance 0.31, flagged"


def test_a_failed_run_has_no_images_and_says_so():
    found = Memorisation.of_failed_run()
    assert found.table.empty
    assert list(found.table.columns) == MEMORISATION_COLUMNS
    assert found.facts == dict.fromkeys(MEMORISATION_FACTS)
    assert "failed" in found.figure.texts[0].get_text()


@pytest.fixture
def run(images, tmp_path):
    """A run whose first two generated images are copies of training images 3 and 5, and that has a second repeat."""
    stored = np.concatenate([images["real"][:20], images["training"]])
    np.save(tmp_path / "images.npy", np.pad(stored, ((0, 0), (2, 3), (2, 3), (0, 0))))
    names = [f"i{number:02d}" for number in range(len(stored))]
    splits = ["test"] * 20 + ["train"] * TRAINING
    rows = pd.DataFrame({"image_id": names, "row": range(len(stored)), "split": splits, "cluster": range(len(stored))})
    files = pd.Series(["0/00000.png", "0/00001.png", "0/00002.png", "1/00000.png"])
    shown = [*images["training"][[3, 5]], *images["others"][:2]]
    for file, pixels in zip(files, shown, strict=True):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / file)
    return {"rows": rows, "images": tmp_path / "images.npy", "size": SIZE, "folder": tmp_path, "files": files}


def test_the_first_image_of_each_prompt_is_searched_among_the_training_images(run):
    found = copies(**run)
    assert list(found.table.columns) == MEMORISATION_COLUMNS
    assert list(found.table["file"]) == ["0/00000.png", "0/00001.png", "0/00002.png"]
    assert list(found.table["nearest"][:2]) == ["i23", "i25"]
    assert list(found.table["flagged"]) == [True, True, False]
    assert (found.facts["generated"], found.facts["real"], found.facts["training"]) == (3, 20, TRAINING)
    titles = [axes.get_title() for axes in found.figure.axes]
    assert {titles[0], titles[2]} == {"0/00000.png", "0/00001.png"}
    assert titles[4] == "0/00002.png"


def test_test_images_with_a_duplicate_in_training_are_no_measure(run):
    rows = run["rows"]
    rows.loc[:4, "cluster"] = rows["cluster"].iloc[-1]
    assert copies(**run).facts["real"] == 15
    rows.loc[:19, "cluster"] = rows["cluster"].iloc[-1]
    with pytest.raises(UserError, match="every test image has a duplicate or group member in training"):
        copies(**run)
