"""Planted duplicates are found, whatever was done to them, and distinct images are not."""

import io
import re
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from scipy.ndimage import gaussian_filter

from medpeft.data import duplicates
from medpeft.data.decode import decode
from medpeft.data.duplicates import ALIKE, THUMBNAIL, describe, doubts, find, threshold
from medpeft.data.split import split


def textures(number: int, size: int = 256, seed: int = 0) -> np.ndarray:
    """Return (number, size, size, 3) uint8: one anatomy that all share (bright above, dark below) plus own speckle."""
    random = np.random.default_rng(seed)
    shared = np.linspace(170, 40, size)[:, None] + 25 * np.sin(np.linspace(0, 9, size))[:, None]
    own = gaussian_filter(random.normal(size=(number, size, size)), (0, size / 50, size / 25))
    grey = shared + 30 * own / own.std()
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=3)


@cache
def radiographs(number: int, size: int = 256) -> np.ndarray:
    """Return (number, size, size, 3) uint8: joints of nearly one outline, each with a bone texture of its own."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    images = np.empty((number, size, size))
    for row in range(number):
        up, down, aside = random.normal(0, 0.004, 3)
        bone = (y < 0.46 + up + 0.05 * np.cos(7 * x)) | (y > 0.54 + down - 0.03 * np.cos(9 * x))
        bone &= (x > 0.15 + aside) & (x < 0.85 + aside)
        images[row] = 30 + gaussian_filter(170.0 * bone, size / 200) + random.normal(0, 2, (size, size))
        for scale in (30, 90):
            texture = gaussian_filter(random.normal(size=(size, size)), size / scale)
            images[row] += 4.5 * texture / texture.std()
    return np.repeat(images.clip(0, 255).astype(np.uint8)[..., None], 3, axis=3)


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


def recompressed(image: Image.Image, quality: int = 40) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
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
    "shifted": lambda image: image.resize((256, 256), box=(7, 3, 256, 252)),
    "stretched": lambda image: image.resize((256, 256), box=(3, 6, 253, 250)),
    "all at once": lambda image: recompressed(annotated(image).transpose(Image.Transpose.FLIP_LEFT_RIGHT)).resize(
        (256, 256), box=(1, 2, 253, 254)
    ),
}


@pytest.mark.parametrize("size", [64, 73, 110, 256])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_a_near_duplicate_and_nothing_else_is(change, size):
    images = textures(12)
    images[7] = np.asarray(CHANGES[change](Image.fromarray(images[3])))
    found = find(resized(images, size), table(12))
    assert pairs_of(found) == {("image 3", "image 7")}
    assert found["kind"].tolist() == ["near"]
    assert threshold(min(size, 128)) <= found["similarity"][0] <= 1


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


def test_images_of_one_colour_are_no_duplicates():
    """They show nothing that could be the same: 400 of them gave 79,800 pairs, and were split as one."""
    images = np.zeros((403, 64, 64, 3), np.uint8)
    images[400:] = textures(3, 64)
    images[200:400] += 200
    assert len(find(images, table(403, sha256=["black"] * 200 + ["grey"] * 200 + ["x", "y", "z"]))) == 0
    assert np.isfinite(describe(images)).all()


def test_no_duplicates_give_an_empty_table_of_the_same_columns():
    found = find(textures(3, 64), table(3))
    assert found.columns.tolist() == ["first", "second", "kind", "similarity", "same_label", "same_group"]
    assert len(found) == 0


def test_the_result_does_not_depend_on_how_much_is_compared_at_once(monkeypatch):
    images = textures(40, 64)
    images[[5, 20, 39]] = images[0] + np.uint8(3)
    whole = find(images, table(40))
    monkeypatch.setattr(duplicates, "AT_ONCE", 7 * 40)
    assert pairs_of(find(images, table(40))) == pairs_of(whole)
    assert len(whole) == 6


@pytest.mark.parametrize("kind", ["noise", "smooth", "blank"])
def test_candidates_are_the_most_alike_as_they_are_or_mirrored(kind, monkeypatch):
    monkeypatch.setattr(duplicates, "AT_ONCE", 700)  # some rows at a time
    described = np.random.default_rng(3).normal(size=(120, THUMBNAIL, THUMBNAIL))
    if kind == "smooth":
        described = gaussian_filter(described, (0, 4, 4))
    described /= np.linalg.norm(described, axis=(1, 2), keepdims=True)
    described[50] = 0.9 * described[7, :, ::-1] + 0.1 * described[50]
    if kind == "blank":
        described[::9] = 0
    plain, mirrored = (part.reshape(120, -1) for part in (described, described[:, :, ::-1]))
    turned = plain @ mirrored.T > plain @ plain.T
    alike = np.maximum(plain @ plain.T, plain @ mirrored.T)
    np.fill_diagonal(alike, -1)
    for number, candidates in enumerate(duplicates._candidates(described.astype(np.float32))):
        expected = [i for i in np.argsort(-alike[number])[: duplicates.CANDIDATES] if alike[number, i] >= ALIKE]
        assert [i for i, _ in candidates] == expected
        assert [flag for _, flag in candidates] == [turned[number, i] for i in expected]
        assert number != 7 or candidates[0] == (50, True)


def test_looks_grow_with_the_images_and_not_with_their_pairs(monkeypatch):
    """Of images that are all alike, each has few looked at; 40 copies of one cost no more than their own pairs."""
    looks = []
    monkeypatch.setattr(duplicates.SecondLook, "similarity", lambda self, i, j, _: looks.append((i, j)) or -1.0)
    assert len(find(radiographs(60, 64), table(60))) == 0
    assert 60 < len(looks) == len(set(looks)) <= duplicates.REFUSED * 60


def test_the_similarity_is_a_correlation_of_the_descriptions():
    flat = describe(textures(5, 64)).reshape(5, -1)
    assert np.allclose(flat @ flat.T, np.corrcoef(flat), atol=1e-5)


@pytest.mark.parametrize("size", [64, 110, 256])
def test_radiographs_of_different_patients_are_no_duplicates_however_alike_they_look(size):
    images = radiographs(40).copy()
    images[31] = np.asarray(recompressed(Image.fromarray(images[12])))
    images = resized(images, size)
    described = describe(images, 40).reshape(40, -1)
    alike = (described @ described.T)[np.triu_indices(40, 1)]
    assert np.quantile(alike, 0.5) > 0.65  # the thumbnails alone would call most pairs duplicates
    manifest = table(40, label=["a", "b"] * 20)
    found = find(images, manifest)
    assert pairs_of(found) == {("image 12", "image 31")}
    assert found["same_label"].tolist() == [False]
    kept = split(manifest, found, duplicates="drop")["image_id"]
    assert set(manifest["image_id"]) - set(kept) == {"image 12", "image 31"}


def test_slices_with_one_frame_and_different_content_are_no_duplicates():
    """A skull, and a scanner's frame and words, lie in the same place in every image; a lesion differs."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[:128, :128] / 64 - 1
    radius = np.hypot(x / 0.8, y / 0.9)
    skull = 180.0 * ((radius > 0.9) & (radius < 1))
    images = np.empty((30, 128, 128))
    for image in images:
        inside = gaussian_filter(random.normal(size=(128, 128)), 2)
        image[:] = 10 + skull + (radius < 0.9) * (80 + 15 * inside / inside.std()) + random.normal(0, 1, (128, 128))
        down, right = random.uniform(-0.4, 0.4, 2)
        image[np.hypot(y - down, x - right) < 0.15] = 200
    pixels = np.repeat(images.clip(0, 255).astype(np.uint8)[..., None], 3, axis=3)
    pixels = np.stack([np.asarray(annotated(Image.fromarray(image))) for image in pixels])
    pixels[20] = np.asarray(recompressed(Image.fromarray(pixels[4]), 75))
    assert pairs_of(find(pixels, table(30))) == {("image 4", "image 20")}


def test_every_pair_of_a_large_set_of_copies_is_listed():
    images = radiographs(30, 128).copy()
    copies = [3, 8, 9, 14, 21, 22, 29]
    for place, number in enumerate(copies):
        images[number] = np.asarray(ImageEnhance.Brightness(Image.fromarray(images[3])).enhance(1 - 0.03 * place))
    found = find(images, table(30))
    assert len(found) == 21
    assert {*found["first"], *found["second"]} == {f"image {number}" for number in copies}


def test_pairs_of_different_known_groups_are_doubted():
    images = textures(4, 64)
    images[1], images[3] = images[0], images[2]
    related = table(4, group_id=["p", "p", "q", "image 3"])
    assert doubts(related, find(images, related)) == []
    strange = table(4, group_id=["p", "r", "q", "image 3"])
    assert [said[:50] for said in doubts(strange, find(images, strange))] == [
        "1 of 2 pairs of duplicates are of different groups"
    ]


def test_contradicting_labels_are_told():
    images = textures(4, 64)
    images[1], images[3] = images[0], images[2]
    labelled = table(4, label=["a", "b", "a", "a"])
    assert doubts(labelled, find(images, labelled)) == [
        "1 of 2 pairs of duplicates have contradicting labels (same_label is False)"
    ]


def test_the_threshold_rises_where_fewer_pixels_are_compared():
    assert threshold(128) == pytest.approx(0.72)
    assert threshold(64) == pytest.approx(0.81)
    assert threshold(32) == pytest.approx(0.90)


def stored(real_data: Path, archive: str, group: str, size: int, first: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the `first` images of a real archive and their table; `group` finds the patient in a file's name."""
    path = real_data / archive
    if not path.is_file():
        pytest.skip(f"no {archive} in {real_data}")
    with zipfile.ZipFile(path) as opened:
        names = sorted(name for name in opened.namelist() if name.lower().endswith((".png", ".jpg", ".jpeg")))[:first]
        images = np.stack([decode(opened.read(name), size, name).pixels for name in names])
    found = [re.search(group, Path(name).name) for name in names]
    groups = [match[1] if match else name for match, name in zip(found, names, strict=True)]
    return images, table(len(names), image_id=names, group_id=groups, sha256=names, label=[*map(_folder, names)])


def _folder(name: str) -> str:
    return Path(name).parent.name


REAL_SETS = {
    "knees": ("knee_oa.zip", r"^(\d{7})", 506),
    "chests": ("nih_cxr_pneumonia.zip", r"^(\d+)_", 600),
}


@pytest.mark.slow
@pytest.mark.parametrize("size", [73, 256])
@pytest.mark.parametrize("name", REAL_SETS)
def test_no_two_real_patients_are_one_and_changed_copies_are_found(name, size, real_data):
    archive, group, first = REAL_SETS[name]
    images, manifest = stored(real_data, archive, group, size, first)
    others = [manifest["image_id"][number] for number in range(0, 10 * len(CHANGES), 10)]
    copies = [
        np.asarray(change(Image.fromarray(images[10 * number]).resize((256, 256))))
        for number, change in enumerate(CHANGES.values())
    ]
    planted = table(len(copies), image_id=[*CHANGES], group_id=[*CHANGES], sha256=[*CHANGES])
    whole = pd.concat([manifest, planted], ignore_index=True)
    found = find(np.concatenate([images, resized(np.stack(copies), size)]), whole)
    assert {*zip(others, CHANGES, strict=True)} <= pairs_of(found)
    original = found[~found["second"].isin(CHANGES)]
    assert original["same_group"].all()
    assert len(original) <= 1  # one patient's radiographs that are the same but for their contrast


@pytest.mark.slow
def test_real_photographs_of_different_lesions_are_not_one(real_data):
    """Of 1,500 photographs; the lesions of the pair that is found differ in the table alone, as one sees."""
    images, manifest = stored(real_data, "HAM10000_images_part_1.zip", "(.*)", 73, 1500)
    lesions = pd.read_csv(real_data / "HAM10000_metadata.csv").set_index("image_id")["lesion_id"]
    manifest["group_id"] = [lesions[Path(name).stem] for name in manifest["image_id"]]
    found = find(images, manifest)
    assert len(found) > 3
    assert found["same_group"].all()
