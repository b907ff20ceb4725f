"""SMDG-19 is read as Kaggle publishes it; the older version on GitHub is refused."""

import zipfile

import pandas as pd
import pytest

from medpeft.base.errors import UserError
from medpeft.data.archives import Source
from medpeft.data.audit import audit
from medpeft.data.datasets import smdg
from medpeft.data.split import split

DATASET = smdg.DATASET
NO_PAIRS = pd.DataFrame({"first": [], "second": [], "same_label": []}).astype({"same_label": bool})
ROWS = [  # names, types, original_name, patient_id, patient expected
    ("OIA-ODIR-TRAIN-1", "0", "7_right.jpg", "", "OIA-ODIR 7"),
    ("OIA-ODIR-TEST-ONLINE-3", "1", "7_left.jpg", "", "OIA-ODIR 7"),
    ("BEH-1", "0", "IM000000_L.JPG", "", "BEH IM000000"),
    ("BEH-2", "0", "IM000000_R.JPG", "", "BEH IM000000"),
    ("BEH-3", "1", "IM000044.JPG", "", "BEH-3"),
    ("CRFO-v4-1", "1", "Glaucoma-P_1-Left Eye", "", "CRFO-v4 Glaucoma-P_1"),
    ("CRFO-v4-2", "1", "Glaucoma-P_1-Right Eye", "", "CRFO-v4 Glaucoma-P_1"),
    ("CRFO-v4-3", "0", "Healthy-P_1-Left Eye", "", "CRFO-v4 Healthy-P_1"),
    ("PAPILA-1", "0", "2", "PAPILA-2", "PAPILA-2"),
    ("PAPILA-245", "0", "2", "PAPILA-2", "PAPILA-2"),
    ("HRF-1", "1", "01_g.jpg", "", "HRF-1"),
    ("HRF-2", "0", "01_h.jpg", "", "HRF-2"),
    ("FIVES-1", "0", "1_N.png", "", "FIVES-1"),
    ("JSIEC-1000-1", "-1", "Suspect-1ffa9627.JPG", "", None),
]
KEPT = sorted(row for row in ROWS if row[1] != "-1")


def members(rows=ROWS, table="metadata - standardized.csv") -> dict[str, bytes]:
    """Return the members of Kaggle's archive: a table, images, and masks of the same names."""
    lines = [
        f"{name},{kind},,1,{original},{patient},/full-fundus/{name}.png,/optic-disc/{name}.png"
        for name, kind, original, patient, _ in rows
    ]
    head = "names,types,type_expanded,isColor,original_name,patient_id,fundus,fundus_od_seg"
    files = {table: "\n".join([head, *lines]).encode()}
    for folder in ("full-fundus", "optic-disc", "optic-cup", "blood-vessel"):
        files |= {f"{folder}/{folder}/{row[0]}.png": b"" for row in rows}
    return files


@pytest.mark.parametrize("table", ["metadata - standardized.csv", "metadata.csv"])
@pytest.mark.parametrize("top", ["", "SMDG-19/"])
def test_images_are_found_beside_their_masks_and_suspects_left_out(pack, top, table):
    source = pack("smdg.zip", {top + name: content for name, content in members(table=table).items()})
    result = smdg.index(source)
    assert result["image_id"].tolist() == [row[0] for row in KEPT]
    assert result["label"].tolist() == [{"0": "non-glaucoma", "1": "glaucoma"}[row[1]] for row in KEPT]
    assert result["source_file"].tolist() == [f"smdg.zip/{top}full-fundus/full-fundus/{row[0]}.png" for row in KEPT]
    assert result["caption"][0] == "Fundus photograph, non-glaucoma."


def test_images_may_lie_in_one_folder(pack):
    files = {name.replace("full-fundus/full-fundus/", "full-fundus/"): content for name, content in members().items()}
    assert len(smdg.index(pack("smdg.zip", files))) == len(KEPT)


def test_the_eyes_of_a_patient_are_a_group_as_far_as_names_tell(pack):
    assert smdg.index(pack("smdg.zip", members()))["group_id"].tolist() == [row[4] for row in KEPT]


def test_a_table_without_patients_is_read_by_its_names(pack):
    files = members()
    (table,) = [name for name in files if name.endswith(".csv")]
    files[table] = files[table].replace(b"patient_id", b"something")
    groups = smdg.index(pack("smdg.zip", files)).set_index("image_id")["group_id"]
    assert groups["PAPILA-1"] == "PAPILA-1"
    assert groups["BEH-1"] == groups["BEH-2"] == "BEH IM000000"


def test_a_missing_image_is_counted_even_where_its_mask_is_there(pack):
    files = members()
    del files["full-fundus/full-fundus/BEH-3.png"]
    source = pack("smdg.zip", files)
    assert "BEH-3" not in set(smdg.index(source)["image_id"])
    assert source.losses.names("missing") == ["BEH-3"]


def test_an_unknown_type_is_kept_for_prepare_to_refuse(pack):
    files = members([*ROWS, ("X-1", "2", "1.jpg", "", "X-1")])
    assert set(smdg.index(pack("smdg.zip", files))["label"]) == {"glaucoma", "non-glaucoma", "2"}


@pytest.fixture(scope="module")
def older(real_data):
    """The real table of the older version."""
    path = real_data / "metadata" / "smdg_metadata_12049.csv"
    if not path.is_file():
        pytest.skip(f"the real table is not at {path}")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_the_older_version_is_explained(older, tmp_path):
    older.to_csv(tmp_path / "metadata.csv", index=False)
    with pytest.raises(UserError, match=r"older version of SMDG, as on GitHub: it has 12,049 rows, without .* FIVES"):
        smdg.index(Source(tmp_path))


@pytest.fixture(scope="module")
def current(older, tmp_path_factory) -> pd.DataFrame:
    """The index of the older table with the 400 images that came later, as Kaggle's page counts them."""
    names = [f"FIVES-{number}" for number in range(1, 401)]
    added = pd.DataFrame(
        {"names": names, "types": ["0", "1"] * 200, "original_name": [f"{name}.png" for name in names]}
    )
    table = pd.concat([older, added]).fillna("")
    path = tmp_path_factory.mktemp("smdg") / "smdg.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata - standardized.csv", table.to_csv(index=False))
        for name in table["names"]:
            archive.writestr(f"full-fundus/full-fundus/{name}.png", b"")
    return smdg.index(Source(path))


def test_with_them_the_counts_are_the_published_ones(current):
    assert current["label"].value_counts().to_dict() == DATASET.counts


def test_no_patient_has_more_than_two_images(current):
    sizes = current.groupby("group_id").size()
    assert sizes.max() == 2
    assert (sizes == 2).sum() > 1_900


def test_the_source_alone_tells_most_of_the_disease(current):
    """A classifier that sees but the name of the collection: as good as the published fine-tuning, or better."""
    pairs = NO_PAIRS.assign(kind=[], similarity=[], same_group=[])
    splits = split(current, NO_PAIRS, "paper", sizes=DATASET.sizes)
    table = audit(current, pairs, splits, "paper", seed=0).set_index(["protocol", "measure", "scope", "label"])["value"]
    right, majority = (table["paper", measure, "test", ""] / 1_232 for measure in ("source_right", "majority_right"))
    assert majority == pytest.approx(7_499 / 12_316, abs=0.001)
    assert 0.85 < right < 0.95


def test_the_published_split_has_its_sizes_and_cuts_patients(current):
    splits = split(current, NO_PAIRS, "paper", sizes=DATASET.sizes)["split"]
    assert splits.value_counts().to_dict() == {"train": 9_852, "validation": 1_232, "test": 1_232}
    assert splits.groupby(current["group_id"]).nunique().max() == 2


def test_the_grouped_split_cuts_no_patient_and_keeps_the_proportions(current):
    splits = split(current, NO_PAIRS, sizes=DATASET.sizes)["split"]
    assert splits.groupby(current["group_id"]).nunique().max() == 1
    counts = pd.crosstab(current["label"], splits)[["train", "validation", "test"]]
    expected = counts.sum(axis=1).to_numpy()[:, None] * [size / sum(DATASET.sizes) for size in DATASET.sizes]
    assert (abs(counts - expected) <= 2).all(axis=None)
