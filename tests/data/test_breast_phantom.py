"""The simulated breast ultrasound: the same bytes each time, captions that fit the picture, speckle as in theory."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from medpeft.base.errors import UserError
from medpeft.data.archives import Source
from medpeft.data.datasets import breast_phantom as phantom
from medpeft.data.registry import load

FEW = {"benign": 5, "malignant": 5, "normal": 4}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "breast_phantom.zip"
    phantom.write_archive(path, FEW)
    return path


@pytest.fixture(scope="module")
def table(archive):
    return phantom.index(Source(archive))


def uniform_tissue(echo=0.0):
    shape = (phantom.SAMPLES, phantom.LINES)
    return phantom.Tissue(echo=np.full(shape, echo, np.float32), loss=np.zeros(shape, np.float32))


def mass(seed=0, **changes):
    descriptors = {
        "shape": "oval",
        "orientation": "parallel",
        "margin": "circumscribed",
        "echo": "hypoechoic",
        "posterior": "none",
    }
    return phantom.shape_lesion(np.random.default_rng(seed), **descriptors | changes)


def drawn(lesion, background=0.0):
    tissue = uniform_tissue(background)
    phantom.add_lesion(tissue, lesion, np.zeros_like(tissue.echo))
    return tissue


def test_the_registry_offers_it():
    assert load("breast_phantom") is phantom.DATASET


def test_equal_bytes_each_time(archive, tmp_path):
    again = tmp_path / "again.zip"
    phantom.write_archive(again, FEW)
    assert again.read_bytes() == archive.read_bytes()


def test_dates_in_the_archive_are_fixed(archive):
    with zipfile.ZipFile(archive) as content:
        assert {member.date_time for member in content.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_whole_set_has_the_counts_promised(tmp_path, monkeypatch):
    monkeypatch.setattr(phantom, "draw_anatomy", lambda *_: None)
    monkeypatch.setattr(phantom, "draw_image", lambda *_: np.zeros((8, 8), np.uint8))
    (promised,) = phantom.DATASET.archives
    promised.generate(tmp_path / promised.name)
    table = phantom.DATASET.index(Source(tmp_path / promised.name))
    assert table["label"].value_counts().to_dict() == phantom.DATASET.counts
    assert table.groupby("group_id").size().between(1, 4).all()


def test_index_gives_the_columns_promised(table):
    assert list(table.columns) == ["image_id", "group_id", "label", "caption", "source_file"]
    assert table["image_id"].is_unique
    assert table["image_id"].is_monotonic_increasing
    assert not table.isna().any(axis=None)


def test_index_names_members_that_are_grey_images(archive, table):
    source = Source(archive)
    for path in table["source_file"]:
        name, member = path.split("/", 1)
        image = Image.open(io.BytesIO(source.read(member)))
        assert name == archive.name
        assert (image.mode, image.size) == ("L", (128, 128))
        assert np.asarray(image).std() > 15


def test_a_patient_has_one_class_and_one_caption(table):
    per_patient = table.groupby("group_id")[["label", "caption"]].nunique()
    assert (per_patient == 1).all(axis=None)
    assert table.groupby("label")["group_id"].nunique().to_dict() == FEW


def test_no_two_images_are_equal(archive, table):
    source = Source(archive)
    assert len({source.read(path.split("/", 1)[1]) for path in table["source_file"]}) == len(table)


def test_captions_agree_with_the_class(table):
    normal = table["label"] == "normal"
    assert table.loc[normal, "caption"].str.contains("no mass").all()
    assert (table.loc[normal, "caption"].str.count("mass") == 1).all()
    assert table.loc[~normal, "caption"].str.contains(r"echoic mass|heterogeneous mass").all()
    assert not table.loc[~normal, "caption"].str.contains("no mass").any()


@pytest.mark.parametrize("label", phantom.KINDS)
def test_odds_are_probabilities(label):
    assert sum(share for share, _ in phantom.KINDS[label].values()) == pytest.approx(1)
    for _, odds in phantom.KINDS[label].values():
        for name in ("shape", "margin", "echo", "posterior"):
            assert sum(odds[name].values()) == pytest.approx(1)


def test_no_descriptor_gives_the_class_away():
    rng = np.random.default_rng(0)
    words = {
        label: {(lesion.shape, lesion.margin) for lesion in (phantom.draw_lesion(rng, label) for _ in range(200))}
        for label in phantom.KINDS
    }
    assert len(words["benign"] & words["malignant"]) >= 6


@pytest.mark.parametrize("orientation", ["parallel", "not parallel"])
@pytest.mark.parametrize("margin", ["circumscribed", "indistinct", "angular", "microlobulated", "spiculated"])
def test_every_view_is_as_wide_and_tall_as_the_caption_says(orientation, margin):
    rng = np.random.default_rng(3)
    for seed in range(25):
        lesion = mass(seed, shape="irregular", orientation=orientation, margin=margin)
        lesion = phantom.other_section(rng, lesion, phantom.draw_view(rng))
        inside = drawn(lesion).echo < lesion.echo_level / 2
        height, width = phantom.DEPTH[inside].std(), phantom.LATERAL[inside].std()
        assert (height > width) == (orientation == "not parallel"), f"seed {seed}: {height / width:.2f}"


def test_a_spiculated_outline_is_rougher_than_a_circumscribed_one():
    rng = np.random.default_rng(0)
    length = {
        margin: np.mean([np.abs(np.diff(phantom.draw_outline(rng, "oval", margin))).sum() for _ in range(20)])
        for margin in ("circumscribed", "microlobulated", "spiculated")
    }
    assert length["spiculated"] > length["microlobulated"] > 3 * length["circumscribed"]


@pytest.mark.parametrize(("posterior", "sign"), [("enhancement", 1), ("shadowing", -1)])
def test_what_lies_behind_a_mass_is_brighter_or_darker(posterior, sign):
    lesion = mass(posterior=posterior)
    amplitude = phantom.envelope(np.random.default_rng(0), drawn(lesion))
    behind = (phantom.DEPTH - lesion.depth) / lesion.half_height > 1.3
    beneath = behind & (np.abs(phantom.LATERAL - lesion.lateral) < 0.5 * lesion.half_width)
    beside = behind & (np.abs(phantom.LATERAL - lesion.lateral) > 1.5 * lesion.half_width)
    change = 20 * np.log10(amplitude[beneath].mean() / amplitude[beside].mean())
    assert 4 < sign * change < 19


def test_masses_are_as_dark_as_their_echo_pattern_says():
    level = {}
    for echo in phantom.ECHO:
        lesion = mass(echo=echo)
        core = np.hypot(phantom.LATERAL - lesion.lateral, phantom.DEPTH - lesion.depth) < 0.5 * lesion.half_height
        level[echo] = phantom.envelope(np.random.default_rng(0), drawn(lesion))[core].mean()
    assert level["anechoic"] < level["hypoechoic"] / 3
    assert level["hypoechoic"] < level["isoechoic"] / 1.5


def test_speckle_of_uniform_tissue_is_rayleigh():
    rng = np.random.default_rng(0)
    amplitude = np.stack([phantom.envelope(rng, uniform_tissue()) for _ in range(8)])
    assert amplitude.mean() / amplitude.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.02)  # 1.91
    assert (amplitude**2).mean() == pytest.approx(1, rel=0.03)


def test_speckle_is_finest_in_the_focus():
    rng = np.random.default_rng(0)
    amplitude = np.stack([phantom.envelope(rng, uniform_tissue()) for _ in range(8)])

    def likeness(top, bottom):
        rows = amplitude[:, (phantom.DEPTH[:, 0] >= top) & (phantom.DEPTH[:, 0] < bottom)]
        return np.corrcoef(rows[..., :-3].ravel(), rows[..., 3:].ravel())[0, 1]

    assert likeness(14, 22) + 0.1 < likeness(32, 40)


def test_log_compression_is_linear_in_decibels():
    tissue_10_db_apart = np.ones((phantom.SAMPLES, phantom.LINES)) * np.repeat([0.1, 0.1 * 10**0.5], phantom.LINES // 2)
    grey = phantom.log_compress(tissue_10_db_apart, gain=np.zeros(1), dynamic_range=60).astype(int)
    assert grey[0, -1] - grey[0, 0] == pytest.approx(255 * 10 / 60, abs=1)


def test_an_archive_with_other_columns_is_refused(tmp_path):
    path = tmp_path / "breast_phantom.zip"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("metadata.csv", "image,patient,caption\na.png,p,none\n")
    with pytest.raises(UserError, match="label"):
        phantom.index(Source(path))
