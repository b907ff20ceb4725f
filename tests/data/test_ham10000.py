"""HAM10000 is read as Dataverse and as Kaggle publish it."""

import zipfile

import pandas as pd
import pytest

from medpeft.base.errors import UserError
from medpeft.data.archives import Source
from medpeft.data.datasets import ham10000
from medpeft.data.split import split

DATASET = ham10000.DATASET
NO_PAIRS = pd.DataFrame({"first": [], "second": [], "same_label": []}).astype({"same_label": bool})
ROWS = [
    "HAM_2,ISIC_0000003,mel,histo,,female,unknown",
    "HAM_1,ISIC_0000002,nv,follow_up,45.0,male,lower extremity",
    "HAM_1,ISIC_0000001,nv,follow_up,45.0,male,back",
]
HEAD = "lesion_id,image_id,dx,dx_type,age,sex,localization"
TABLE = "\n".join([HEAD, *ROWS]).encode()
# Dataverse's table has one column more, and so have its rows.
NEWER = "\n".join([HEAD + ",dataset", *(row + ",vidir_modern" for row in ROWS)]).encode()


def dataverse(pack, tmp_path, table: bytes = NEWER, part_2: tuple[int, ...] = (3,)) -> list[Source]:
    (tmp_path / "HAM10000_metadata.csv").write_bytes(table)
    return [
        pack("HAM10000_images_part_1.zip", {f"ISIC_000000{i}.jpg": b"" for i in (1, 2)}),
        pack("HAM10000_images_part_2.zip", {"readme.txt": b""} | {f"ISIC_000000{i}.jpg": b"" for i in part_2}),
        Source(tmp_path / "HAM10000_metadata.csv"),
    ]


@pytest.mark.parametrize("table", [TABLE, NEWER])
def test_the_archives_of_dataverse_are_joined_with_their_table(pack, tmp_path, table):
    assert ham10000.index(*dataverse(pack, tmp_path, table)).to_dict("list") == {
        "image_id": ["ISIC_0000001", "ISIC_0000002", "ISIC_0000003"],
        "group_id": ["HAM_1", "HAM_1", "HAM_2"],
        "label": ["nv", "nv", "mel"],
        "caption": [
            "Dermatoscopic image, melanocytic nevus, back.",
            "Dermatoscopic image, melanocytic nevus, lower extremity.",
            "Dermatoscopic image, melanoma, unknown site.",
        ],
        "source_file": [
            "HAM10000_images_part_1.zip/ISIC_0000001.jpg",
            "HAM10000_images_part_1.zip/ISIC_0000002.jpg",
            "HAM10000_images_part_2.zip/ISIC_0000003.jpg",
        ],
        "sex": ["male", "male", "female"],
        "age": ["45.0", "45.0", ""],
        "localization": ["back", "lower extremity", "unknown"],
        "dx_type": ["follow_up", "follow_up", "histo"],
    }


@pytest.mark.parametrize("top", ["", "archive/"])
def test_the_one_archive_of_kaggle_gives_the_same_table(pack, tmp_path, top):
    """It also holds small copies as tables of pixels, and masks in other copies."""
    members = {f"HAM10000_images_part_{1 + i // 3}/ISIC_000000{i}.jpg": b"" for i in (1, 2, 3)}
    members |= {"HAM10000_metadata.csv": TABLE, "hmnist_28_28_L.csv": b"pixel0000,label\n1,2\n"}
    members |= {"HAM10000_segmentations_lesion_tschandl/ISIC_0000001_segmentation.png": b""}
    table = ham10000.index(pack("kaggle.zip", {top + name: content for name, content in members.items()}))
    expected = ham10000.index(*dataverse(pack, tmp_path))
    assert table.drop(columns="source_file").equals(expected.drop(columns="source_file"))
    assert table["source_file"][2] == f"kaggle.zip/{top}HAM10000_images_part_2/ISIC_0000003.jpg"


def test_images_that_kaggle_holds_twice_are_taken_once(pack):
    folders = ("HAM10000_images_part_1", "ham10000_images_part_1")
    members = {f"{folder}/ISIC_000000{i}.jpg": b"" for folder in folders for i in (1, 2, 3)}
    table = ham10000.index(pack("kaggle.zip", members | {"HAM10000_metadata.csv": TABLE}))
    assert len(table) == 3
    assert table["source_file"].str.contains("/HAM10000_").all()


def test_images_that_a_part_lacks_are_counted(pack, tmp_path):
    sources = dataverse(pack, tmp_path, part_2=())
    assert len(ham10000.index(*sources)) == 2
    assert sources[0].losses.names("missing") == ["ISIC_0000003"]


def test_another_table_is_refused_by_its_columns(pack, tmp_path):
    with pytest.raises(UserError, match=r"HAM10000_metadata.* lacks the columns dx, lesion_id"):
        ham10000.index(*dataverse(pack, tmp_path, b"image_id,localization,MEL,NV\nISIC_0000001,back,0,1\n"))


@pytest.fixture(scope="module")
def real(real_data, tmp_path_factory) -> pd.DataFrame:
    """The index of the real table, its images being empty files."""
    path = real_data / "metadata" / "HAM10000_metadata.csv"
    if not path.is_file():
        pytest.skip(f"the real table is not at {path}")
    images = tmp_path_factory.mktemp("ham10000") / "HAM10000_images_part_1.zip"
    with zipfile.ZipFile(images, "w") as archive:
        for image_id in pd.read_csv(path)["image_id"]:
            archive.writestr(f"{image_id}.jpg", b"")
    return ham10000.index(Source(images), Source(path))


def test_the_real_table_is_the_published_one(real):
    assert len(real) == 10_015
    assert real["group_id"].nunique() == 7_470
    assert real["label"].value_counts().to_dict() == DATASET.counts
    assert not real["caption"].str.contains(r"nan|  |,,").any()


def test_the_published_split_has_its_sizes_and_cuts_lesions(real):
    splits = split(real, NO_PAIRS, "paper", sizes=DATASET.sizes)["split"]
    assert splits.value_counts().to_dict() == {"train": 7_511, "validation": 1_001, "test": 1_503}
    assert splits.groupby(real["group_id"]).nunique().max() > 1


def test_the_grouped_split_cuts_no_lesion_and_keeps_the_proportions(real):
    splits = split(real, NO_PAIRS, sizes=DATASET.sizes)["split"]
    assert splits.groupby(real["group_id"]).nunique().max() == 1
    counts = pd.crosstab(real["label"], splits)[["train", "validation", "test"]]
    expected = counts.sum(axis=1).to_numpy()[:, None] * [size / 10_015 for size in DATASET.sizes]
    assert (abs(counts - expected) <= 6).all(axis=None)  # a lesion has up to six images
