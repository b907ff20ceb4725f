"""The simulated ultrasound of other organs: the same bytes each time, and captions that fit the image."""

import io

import numpy as np
import pytest
from PIL import Image

from medpeft.base.errors import UserError
from medpeft.data.archives import Source
from medpeft.data.datasets.organ_phantom import DATASET
from medpeft.data.simulators import organs
from medpeft.data.simulators.archive import write
from medpeft.data.simulators.masses import add_lesion, shape_lesion
from medpeft.data.simulators.scanner import DEPTH, LATERAL


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "organ_organs.zip"
    write(path, organs.draw_organs(3))
    return path


@pytest.fixture(scope="module")
def table(archive):
    return DATASET.index(Source(archive))


def test_equal_bytes_each_time(archive, tmp_path):
    write(tmp_path / "again.zip", organs.draw_organs(3))
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_each_organ_is_there_and_named_in_its_captions(table):
    assert table["label"].value_counts().to_dict() == dict.fromkeys(organs.ORGANS, 3)
    assert all(f"Ultrasound of the {row.label}, " in row.caption for row in table.itertuples())


def test_no_image_is_flat_or_of_another_kind(archive, table):
    for file in table["source_file"]:
        image = Image.open(io.BytesIO(Source(archive).read(file.partition("/")[2])))
        assert (image.size, image.mode) == ((128, 128), "L")
        assert np.asarray(image).std() > 10


def test_captions_say_what_a_mass_is_made_of():
    rng = np.random.default_rng(0)
    for lesion in (organs.draw_lesion(rng) for _ in range(50)):
        caption = organs.caption("liver", lesion)
        assert f"{lesion.echo} mass, {lesion.shape} shape" in caption
        assert f"{lesion.margin} margin" in caption
        assert ("no posterior features" in caption) == (lesion.posterior == "none")
        assert ("taller than wide" in caption) == (lesion.half_height > lesion.half_width and lesion.shape != "round")
    assert organs.caption("liver", None) == "Ultrasound of the liver, no mass."


@pytest.mark.parametrize("organ", organs.ORGANS)
def test_an_anechoic_mass_is_black_where_it_lies(organ):
    """The same image with and without a mass differs there, and is darker."""
    rng = np.random.default_rng(5)
    fields = [np.zeros_like(DEPTH) for _ in range(2)]
    tissue = organs.ORGANS[organ](rng, organs.Textures(*fields))
    lesion = shape_lesion(
        rng, shape="round", orientation="round", margin="circumscribed", echo="anechoic", posterior="none"
    )
    add_lesion(tissue, lesion, fields[0])
    inside = np.hypot(LATERAL - lesion.lateral, DEPTH - lesion.depth) < 0.5 * lesion.half_height
    assert tissue.echo[inside].mean() < -33


def test_a_changed_table_is_refused(pack):
    with pytest.raises(UserError, match="lacks the columns"):
        DATASET.index(pack("organ_organs.zip", {"metadata.csv": b"image,label\n"}))
