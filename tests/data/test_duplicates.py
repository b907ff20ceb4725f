"""Planted duplicates are found, whatever was done to them, and distinct images are not."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from scipy.ndimage import gaussian_filter

from medpeft.data import duplicates
from medpeft.data.duplicates import THRESHOLD, THUMBNAIL, describe, find


def textures(number: int, size: int = 256, seed: int = 0) -> np.ndarray:
    """Return (number, size, size, 3) uint8: one anatomy that all share (bright above, dark below) plus own speckle."""
    random = np.random.default_rng(seed)
    shared = np.linspace(170, 40, size)[:, None] + 25 * np.sin(np.linspace(0, 9, size))[:, None]
    own = gaussian_filter(random.normal(size=(number, size, size)), (0, size / 50, size / 25))
    grey = shared + 30 * own / own.std()
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=3)


def table(number: int, **columns) -> pd.DataFrame:
    ids = [f"image {i}" for i in range(number)]
    standard = {
        "image_id": ids,
        "group_id": ids,
        "label": ["a"] * number,
        "sha256": [f"digest {i}" for i in range(number)],
    }
    return pd.DataFrame(standard | columns)


def pairs_of(found: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(found["first"], found["second"], strict=True))


def resized(images: np.ndarray, size: int) -> np.ndarray:
    return np.stack(
        [np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)) for image in images]
    )


def recompressed(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=40)
    return Image.open(stream).convert("RGB")


def annotated(image: Image.Image) -> Image.Image:
    """Return the image with callipers and a word burnt in, as scanners do."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    draw.line([(60, 120), (150, 90)], fill="white")
    draw.text((20, 200), "LT AXILLA", fill="white")
    return image


CHANGES = {
    "recompressed": recompressed,
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.6),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    "resized": lambda image: image.resize((90, 90)).resize((256, 256)),
    "annotated": annotated,
    "cropped": lambda image: image.resize((256, 256), box=(2, 2, 254, 254)),
}


@pytest.mark.parametrize("size", [64, 73, 110, 256])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_a_near_duplicate_and_nothing_else_is(change, size):
    images = textures(12)
    images[7] = np.asarray(CHANGES[change](Image.fromarray(images[3])))
    found = find(resized(images, size), table(12))
    assert pairs_of(found) == {("image 3", "image 7")}
    assert found["kind"].tolist() == ["near"]
    assert duplicates.THRESHOLD <= found["similarity"][0] <= 1


def test_equal_pixels_are_an_exact_duplicate():
    images = textures(6, 64)
    images[4] = images[1]
    found = find(images, table(6))
    assert pairs_of(found) == {("image 1", "image 4")}
    assert found[["kind", "similarity"]].to_numpy().tolist() == [["exact", 1.0]]


def test_equal_files_are_an_exact_duplicate():
    manifest = table(4, sha256=["a", "b", "c", "b"])
    assert pairs_of(find(textures(4, 64), manifest)) == {("image 1", "image 3")}


def test_all_pairs_of_three_copies_are_listed_in_the_order_of_the_manifest():
    images = textures(5, 64)
    images[[0, 4]] = images[2]
    found = find(images, table(5))
    assert list(zip(found["first"], found["second"], strict=True)) == [
        ("image 0", "image 2"),
        ("image 0", "image 4"),
        ("image 2", "image 4"),
    ]


def test_contradicting_labels_and_common_groups_are_marked():
    images = textures(4, 64)
    images[1], images[3] = images[0], images[2]
    found = find(images, table(4, label=["a", "b", "a", "a"], group_id=["p", "q", "r", "r"]))
    assert found["same_label"].tolist() == [False, True]
    assert found["same_group"].tolist() == [False, True]


def test_distinct_images_of_the_same_anatomy_are_no_duplicates():
    images = textures(300, 64)
    plain = images.reshape(300, -1).astype(float)
    assert np.corrcoef(plain)[np.triu_indices(300, 1)].mean() > 0.5  # they do look alike
    assert len(find(images, table(300))) == 0


def test_blank_images_are_exact_duplicates_without_numerical_accidents():
    images = np.zeros((3, 64, 64, 3), np.uint8)
    images[2] += 200
    found = find(images, table(3))
    assert pairs_of(found) == {("image 0", "image 1")}
    assert np.isfinite(describe(images)).all()


def test_no_duplicates_give_an_empty_table_of_the_same_columns():
    found = find(textures(3, 64), table(3))
    assert found.columns.tolist() == ["first", "second", "kind", "similarity", "same_label", "same_group"]
    assert len(found) == 0


def test_the_result_does_not_depend_on_the_chunk(monkeypatch):
    images = textures(40, 64)
    images[[5, 20, 39]] = images[0] + np.uint8(3)
    whole = find(images, table(40))
    monkeypatch.setattr(duplicates, "CHUNK", 7)
    assert pairs_of(find(images, table(40))) == pairs_of(whole)
    assert len(whole) == 6


def described_at_random(kind: str, number: int = 120) -> np.ndarray:
    """Return descriptions among which pairs have similarities all around the threshold, as they are or mirrored."""
    random = np.random.default_rng(3)
    flat = random.normal(size=(number, THUMBNAIL, THUMBNAIL))
    if kind == "smooth":
        flat = gaussian_filter(flat, (0, 3, 3))
    elif kind == "mixed":
        flat[::2] = gaussian_filter(flat[::2], (0, 6, 6))
    flat /= np.linalg.norm(flat, axis=(1, 2), keepdims=True)
    for copy in range(1, number // 2, 2):
        share = random.uniform(THRESHOLD - 0.02, THRESHOLD + 0.02)
        mixture = share * flat[copy - 1][:, :: random.choice([1, -1])] + np.sqrt(1 - share**2) * flat[copy]
        flat[copy] = mixture / np.linalg.norm(mixture)
    if kind == "blank":
        flat[::9] = 0
    return flat.astype(np.float32)


@pytest.mark.parametrize("kind", ["noise", "smooth", "mixed", "blank"])
def test_no_pair_is_lost_and_none_is_added_by_comparing_few_numbers_first(kind):
    described = described_at_random(kind)
    plain, mirrored = (part.reshape(len(described), -1).astype(float) for part in (described, described[:, :, ::-1]))
    alike = np.maximum(plain @ plain.T, plain @ mirrored.T)
    expected = {(i, j): alike[i, j] for i, j in zip(*np.nonzero(np.triu(alike >= THRESHOLD, 1)), strict=True)}
    found = {(i, j): value for i, j, value in duplicates._near(described)}
    assert 3 < len(expected) < 300
    assert found == pytest.approx(expected, abs=1e-5)


def test_most_pairs_are_never_compared_in_full(monkeypatch):
    compared = []
    monkeypatch.setattr(duplicates, "_compared", lambda described, first, second: compared.append(len(first)) or ())
    find(textures(300, 64), table(300))
    assert sum(compared) < 0.01 * 300 * 299 / 2


def test_the_similarity_is_a_correlation_of_the_descriptions():
    flat = describe(textures(5, 64)).reshape(5, -1)
    assert np.allclose(flat @ flat.T, np.corrcoef(flat), atol=1e-5)
