"""Fitzpatrick17k is read with the images that are there, and the others are counted."""

import hashlib
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medpeft.base.errors import UserError
from medpeft.base.files import read_table
from medpeft.data.archives import Source
from medpeft.data.datasets import fitzpatrick17k
from medpeft.data.prepare import prepare
from medpeft.data.split import split

DATASET = fitzpatrick17k.DATASET
NO_PAIRS = pd.DataFrame({"first": [], "second": [], "same_label": []}).astype({"same_label": bool})
HEAD = (
    "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url,url_alphanum"
)


def picture(number: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 20 * number, np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


PICTURES = [picture(number) for number in range(6)]
HASHES = [hashlib.md5(content).hexdigest() for content in PICTURES]
KINDS = ["benign", "malignant", "non-neoplastic"] * 2
SCALES = ["1", "2", "3", "-1", "5", "6"]
ROWS = [
    f'{name},{scale},3,"a, b",inflammatory,{kind},,,x.jpg'
    for name, scale, kind in zip(HASHES, SCALES, KINDS, strict=True)
]
TABLE = "\n".join([HEAD, *ROWS]).encode()
ALL = {f"{name}.jpg": content for name, content in zip(HASHES, PICTURES, strict=True)}


def sources(pack, tmp_path, images: dict[str, bytes]) -> list[Source]:
    (tmp_path / "fitzpatrick17k.csv").write_bytes(TABLE)
    return [Source(tmp_path / "fitzpatrick17k.csv"), pack("fitzpatrick17k_images.zip", images)]


@pytest.mark.parametrize("top", ["", "data/finalfitz17k/"])
def test_images_with_a_skin_type_are_rows(pack, tmp_path, top):
    opened = sources(pack, tmp_path, {top + name: content for name, content in ALL.items()} | {"readme.txt": b""})
    table = fitzpatrick17k.index(*opened).set_index("image_id")
    assert sorted(table.index) == table.index.tolist() == sorted(HASHES[:3] + HASHES[4:])
    assert table.loc[HASHES[4]].to_dict() == {
        "group_id": HASHES[4],
        "label": "malignant",
        "caption": "Clinical photograph, a, b, skin type 5.",
        "source_file": f"fitzpatrick17k_images.zip/{top}{HASHES[4]}.jpg",
        "skin_type": "5",
    }
    assert not any(len(source.losses.table()) for source in opened)


def test_missing_images_are_counted_and_left_out(pack, tmp_path):
    images = {name: content for name, content in ALL.items() if name not in (f"{HASHES[0]}.jpg", f"{HASHES[3]}.jpg")}
    opened = sources(pack, tmp_path, images)
    table = fitzpatrick17k.index(*opened)
    assert sorted(table["image_id"]) == sorted([HASHES[1], HASHES[2], HASHES[4], HASHES[5]])
    assert opened[0].losses.names("missing") == [HASHES[0]]


def test_web_pages_that_dead_links_gave_are_missing_images(pack, tmp_path):
    opened = sources(pack, tmp_path, ALL | {f"{HASHES[0]}.jpg": b"<html>404</html>"})
    assert HASHES[0] not in set(fitzpatrick17k.index(*opened)["image_id"])
    assert opened[0].losses.names("missing") == [HASHES[0]]


def test_images_that_were_written_again_are_kept_and_counted(pack, tmp_path):
    opened = sources(pack, tmp_path, ALL | {f"{HASHES[0]}.jpg": picture(12)})
    assert len(fitzpatrick17k.index(*opened)) == 5
    assert opened[1].losses.names("altered") == [HASHES[0]]


def test_what_is_there_is_prepared_and_the_shortfall_is_told_by_class(pack, tmp_path, caplog):
    archives = [source.path for source in sources(pack, tmp_path, ALL)]
    prepare("fitzpatrick17k", DATASET, archives, 32, tmp_path / "images.npy", tmp_path / "manifest.csv")
    assert len(read_table(tmp_path / "manifest.csv")) == 5
    assert "2 images of class 'malignant' where 2160 are published" in caplog.text


def test_without_any_image_it_is_refused(pack, tmp_path):
    archives = [source.path for source in sources(pack, tmp_path, {"readme.txt": b""})]
    with pytest.raises(UserError, match="has 0 images of class 'benign' where 2160 are published"):
        prepare("fitzpatrick17k", DATASET, archives, 32, tmp_path / "images.npy", tmp_path / "manifest.csv")


@pytest.fixture(scope="module")
def real(real_data, tmp_path_factory) -> pd.DataFrame:
    """The index of the real table, all images being one small picture."""
    path = real_data / "metadata" / "fitzpatrick17k.csv"
    if not path.is_file():
        pytest.skip(f"the real table is not at {path}")
    rows = pd.read_csv(path)
    assert len(rows) == rows["md5hash"].nunique() == 16_577
    images = tmp_path_factory.mktemp("fitzpatrick") / "fitzpatrick17k_images.zip"
    with zipfile.ZipFile(images, "w") as archive:
        for name in rows["md5hash"]:
            archive.writestr(f"{name}.jpg", PICTURES[0])
    return fitzpatrick17k.index(Source(path), Source(images))


def test_the_real_table_without_the_565_of_unknown_skin_type_is_the_published_one(real):
    assert len(real) == 16_577 - 565 == 16_012
    assert real["label"].value_counts().to_dict() == DATASET.counts
    assert DATASET.counts == {"benign": 2_160, "malignant": 2_160, "non-neoplastic": 11_692}


def test_the_split_of_the_real_table_has_the_published_sizes(real):
    splits = split(real, NO_PAIRS, "paper", sizes=DATASET.sizes)["split"]
    assert splits.value_counts().to_dict() == {"train": 12_809, "validation": 1_601, "test": 1_602}


def test_with_half_of_the_images_the_split_keeps_the_proportions(real):
    there = real.iloc[::2].reset_index(drop=True)
    splits = split(there, NO_PAIRS, "paper", sizes=DATASET.sizes)["split"].value_counts()
    assert splits.to_dict() == {"train": 6_405, "validation": 800, "test": 801}


def test_the_published_checksum_is_that_of_the_real_table(real_data):
    path = real_data / "metadata" / "fitzpatrick17k.csv"
    if not path.is_file():
        pytest.skip(f"the real table is not at {path}")
    assert DATASET.archives[0].checksum == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
