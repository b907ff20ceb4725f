"""The simulated breast ultrasound: the same bytes each time, captions that fit the image, classes that overlap."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from test_masses import drawn, mass

from medpeft.base.errors import UserError
from medpeft.data.archives import Source
from medpeft.data.datasets.breast_phantom import DATASET
from medpeft.data.registry import load
from medpeft.data.simulators import breast
from medpeft.data.simulators.archive import write
from medpeft.data.simulators.scanner import DEPTH, LATERAL

FEW = {"benign": 5, "malignant": 5, "normal": 4}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "breast_breast.zip"
    write(path, breast.draw_patients(FEW))
    return path


@pytest.fixture(scope="module")
def table(archive):
    return DATASET.index(Source(archive))


def test_the_registry_offers_it():
    assert load("breast_phantom") is DATASET


def test_equal_bytes_each_time(archive, tmp_path):
    again = tmp_path / "again.zip"
    write(again, breast.draw_patients(FEW))
    assert again.read_bytes() == archive.read_bytes()


def test_dates_in_the_archive_are_fixed(archive):
    with zipfile.ZipFile(archive) as content:
        assert {member.date_time for member in content.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_whole_set_has_the_counts_promised(tmp_path, monkeypatch):
    monkeypatch.setattr(breast, "draw_anatomy", lambda *_: None)
    monkeypatch.setattr(breast, "draw_image", lambda *_: np.zeros((8, 8), np.uint8))
    (promised,) = DATASET.archives
    promised.generate(tmp_path / promised.name)
    table = DATASET.index(Source(tmp_path / promised.name))
    assert table["label"].value_counts().to_dict() == DATASET.counts
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


@pytest.mark.parametrize("label", breast.KINDS)
def test_odds_are_probabilities(label):
    assert sum(kind.share for kind in breast.KINDS[label].values()) == pytest.approx(1)
    for kind in breast.KINDS[label].values():
        assert 0 <= kind.parallel <= 1
        for odds in (kind.shape, kind.margin, kind.echo, kind.posterior):
            assert sum(odds.values()) == pytest.approx(1)


def test_no_descriptor_gives_the_class_away():
    rng = np.random.default_rng(0)
    words = {
        label: {(lesion.shape, lesion.margin) for lesion in (breast.draw_lesion(rng, label) for _ in range(200))}
        for label in breast.KINDS
    }
    assert len(words["benign"] & words["malignant"]) >= 6


@pytest.mark.parametrize("orientation", ["parallel", "not parallel"])
@pytest.mark.parametrize("margin", ["circumscribed", "indistinct", "angular", "microlobulated", "spiculated"])
def test_every_view_is_as_wide_and_tall_as_the_caption_says(orientation, margin):
    rng = np.random.default_rng(3)
    for seed in range(25):
        lesion = mass(seed, shape="irregular", orientation=orientation, margin=margin)
        lesion = breast.other_section(rng, lesion, breast.draw_view(rng))
        inside = drawn(lesion).echo < lesion.echo_level / 2
        height, width = DEPTH[inside].std(), LATERAL[inside].std()
        assert (height > width) == (orientation == "not parallel"), f"seed {seed}: {height / width:.2f}"


def test_an_archive_with_other_columns_is_refused(tmp_path):
    path = tmp_path / "breast_breast.zip"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("metadata.csv", "image,patient,caption\na.png,p,none\n")
    with pytest.raises(UserError, match="label"):
        DATASET.index(Source(path))
