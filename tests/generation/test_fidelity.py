"""Metrics of generated images are those of torch-fidelity, means over the repeats, against the test images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch_fidelity
from PIL import Image
from toy_captions import MANIFEST, write_images

from medpeft.base.errors import UserError
from medpeft.generation.features import Extractor
from medpeft.generation.fidelity import Pixels, fidelity, metrics_of, real_images
from medpeft.generation.reference import reference
from medpeft.networks.extractor import registered

RECORD = {"status": "ok", "n_train": 7}


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """The file of forty stored images of 37 pixels."""
    return write_images(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def extractor(lite0) -> Extractor:
    """EfficientNet-Lite0, as the default study has it."""
    return Extractor("efficientnet_lite0", lite0, 1, "cpu")


def _real(images: Path, rows: pd.DataFrame = MANIFEST) -> Pixels:
    """Return the images of a test set that consists of `rows` of the manifest."""
    return real_images(images, MANIFEST, rows[["image_id"]].assign(split="test"), len(rows), 32)


def _write(folder: Path, pixels: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number:05d}.png")
    return folder


def test_real_images_are_centres_of_test_images(images):
    split = MANIFEST[["image_id"]].assign(split=["test", "train"] * 20)
    every = real_images(images, MANIFEST, split, 100, 32)
    np.testing.assert_array_equal(every.pixels, np.load(images)[::2, 2:34, 2:34])
    few = real_images(images, MANIFEST, split, 8, 32)
    assert len(few) == 8
    assert {image.tobytes() for image in few.pixels} < {image.tobytes() for image in every.pixels}


def test_metrics_are_those_of_torch_fidelity_on_folders(images, extractor, tmp_path):
    real = _real(images, MANIFEST.iloc[20:])
    generated = np.random.default_rng(1).integers(0, 200, (20, 32, 32, 3), dtype=np.uint8)
    first, second = _write(tmp_path / "generated" / "0", generated), _write(tmp_path / "real", real.pixels)
    (tmp_path / "generated" / ".snakemake_timestamp").touch()  # as Snakemake does in a folder that a rule makes
    floor = reference(real, extractor, tmp_path / "cache")
    cached = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert cached
    assert all(real.name in name and "32px-20" in name for name in cached)
    found = fidelity(first.parent, real, RECORD, extractor, tmp_path / "cache")
    assert cached == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    expected = torch_fidelity.calculate_metrics(
        input1=str(first),
        input2=str(second),
        fid=True,
        kid=True,
        prc=True,
        kid_subset_size=20,
        feature_extractor=registered(extractor.name),
        feature_extractor_weights_path=str(extractor.weights),
        cuda=False,
        cache=False,
        verbose=False,
    )
    assert found["fid"] == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)
    assert found["kid"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)
    assert (found["precision"], found["recall"]) == (expected["precision"], expected["recall"])
    assert floor["floor_images"] == 10
    assert floor["floor_fid"] > 0
    assert (found["status"], found["n_train"], found["n_test"]) == ("ok", 7, 20)
    assert found["feature_extractor"] == "efficientnet_lite0"


def test_a_failed_run_has_no_metrics(images, extractor, tmp_path):
    found = fidelity(tmp_path / "nothing", _real(images), RECORD | {"status": "failed"}, extractor, tmp_path / "cache")
    assert (found["status"], found["n_train"], found["n_test"]) == ("failed", 7, 40)
    assert all(found[name] is None for name in ("fid", "kid", "precision", "recall"))


def test_images_are_as_good_as_themselves(images, extractor):
    real = _real(images)
    found = metrics_of(real, Pixels(real.pixels.copy()), extractor)
    assert abs(found["fid"]) < 1e-3
    assert found["precision"] == found["recall"] == 1


def test_metrics_of_repeats_are_means(images, extractor, tmp_path):
    real = _real(images, MANIFEST.iloc[20:])
    random = np.random.default_rng(1)
    each = []
    for repeat in range(3):
        pixels = random.integers(0, 100 + 50 * repeat, (20, 32, 32, 3), dtype=np.uint8)
        _write(tmp_path / "generated" / str(repeat), pixels)
        each.append(metrics_of(Pixels(pixels), real, extractor))
    (tmp_path / "generated" / ".snakemake_timestamp").touch()  # as Snakemake leaves in every folder that a rule writes
    found = fidelity(tmp_path / "generated", real, RECORD, extractor, tmp_path / "cache")
    fids = np.array([one["fid"] for one in each])
    assert found["fid_sd"] == pytest.approx(np.sqrt(((fids - fids.mean()) ** 2).sum() / 2), rel=1e-3)
    for name in ("fid", "kid", "precision", "recall"):
        assert found[name] == pytest.approx(np.mean([one[name] for one in each]), rel=1e-3)


def test_unequal_numbers_are_refused(images, extractor, tmp_path):
    real = _real(images)
    folder = _write(tmp_path / "generated" / "0", real.pixels[:9]).parent
    with pytest.raises(UserError, match="has 9 images where the real side has 40"):
        fidelity(folder, real, RECORD, extractor, tmp_path / "cache")
