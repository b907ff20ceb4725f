"""IU chest X-rays and MIMIC-CXR: frontal images with what the radiologist wrote of them."""

import gzip
import zipfile

import pandas as pd
import pytest

from medpeft.data.archives import Source
from medpeft.data.datasets import iu_xray, mimic_cxr
from medpeft.data.split import split

NO_PAIRS = pd.DataFrame({"first": [], "second": [], "same_label": []}).astype({"same_label": bool})
IU = {
    "indiana_projections.csv": "uid,filename,projection\n"
    "1,1_IM-0001-4001.dcm.png,Frontal\n1,1_IM-0001-3001.dcm.png,Lateral\n"
    "2,2_IM-0652-1001.dcm.png,Frontal\n2,2_IM-0652-1002.dcm.png,Frontal\n"
    "3,3_IM-1384-1001.dcm.png,Frontal\n4,4_IM-2050-1001.dcm.png,Frontal\n",
    "indiana_reports.csv": "uid,MeSH,Problems,image,indication,comparison,findings,impression\n"
    '1,normal,normal,,,,The lungs are clear.,"Normal  chest\nx-XXXX."\n'
    "2,Cardiomegaly/borderline,Cardiomegaly;Spine,,,,Large heart.,\n"
    "3,No Indexing,No Indexing,,,,,Fine.\n"
    "4,normal,normal,,,,,\n",
}
IU_IMAGES = ["1_IM-0001-4001", "1_IM-0001-3001", "2_IM-0652-1001", "2_IM-0652-1002", "3_IM-1384-1001", "4_IM-2050-1001"]


@pytest.mark.parametrize("form", ["images/images_normalized/{}.dcm.png", "NLMCXR_png/{}.png"])
def test_frontal_images_have_their_report(pack, form):
    members = {name: text.encode() for name, text in IU.items()} | {form.format(name): b"" for name in IU_IMAGES}
    table = iu_xray.index(pack("iu_xray.zip", members))
    assert table.drop(columns="source_file").to_dict("list") == {
        "image_id": ["1_IM-0001-4001", "2_IM-0652-1001", "2_IM-0652-1002", "4_IM-2050-1001"],
        "group_id": ["report 1", "report 2", "report 2", "report 4"],
        "label": ["normal", "abnormal", "abnormal", "normal"],
        "caption": ["Normal chest x-XXXX.", "Large heart.", "Large heart.", "Frontal chest radiograph, normal."],
    }
    assert table["source_file"][0] == "iu_xray.zip/" + form.format("1_IM-0001-4001")


@pytest.fixture(scope="module")
def real(real_data, tmp_path_factory) -> pd.DataFrame:
    """The index of the real tables, the images being empty files."""
    tables = [real_data / "metadata" / name for name in IU]
    if not all(path.is_file() for path in tables):
        pytest.skip(f"the real tables {', '.join(IU)} are not in {real_data / 'metadata'}")
    images = tmp_path_factory.mktemp("iu") / "iu_xray.zip"
    with zipfile.ZipFile(images, "w") as archive:
        for name in pd.read_csv(tables[0])["filename"]:
            archive.writestr(f"images/images_normalized/{name}", b"")
    return iu_xray.index(Source(images), *map(Source, tables))


def test_the_real_tables_give_the_published_images(real):
    assert len(real) == real["image_id"].nunique() == 3_727
    assert real["label"].value_counts().to_dict() == iu_xray.DATASET.counts


def test_every_real_image_has_a_caption(real):
    assert (real["caption"].str.len() > 3).all()
    assert real["caption"].value_counts().index[0] == "No acute cardiopulmonary abnormality."
    assert not real["caption"].str.contains(r"\s\s|^\s|\bnan\b").any()


def test_the_real_reports_stay_on_one_side(real):
    splits = split(real, NO_PAIRS)["split"]
    assert splits.groupby(real["group_id"]).nunique().max() == 1


REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 FINDINGS:

 There is no focal consolidation.

 IMPRESSION:

 No acute cardiopulmonary
 process.  Dr. X was told: all is well.

 {more}
"""


@pytest.mark.parametrize("more", ["", "NOTIFICATION:  By telephone.", "RECOMMENDATION(S): Repeat it."])
def test_the_impression_ends_at_the_next_heading(more):
    assert mimic_cxr.impression(REPORT.format(more=more)) == (
        "No acute cardiopulmonary process. Dr. X was told: all is well."
    )


def test_a_report_without_impression_has_none():
    assert mimic_cxr.impression("FINAL REPORT\n CHEST: Clear. No impression: none.\n") == ""


MIMIC = {
    "metadata": "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition\n"
    "aa-1,10000032,50414267,CHEST,PA\naa-2,10000032,50414267,CHEST,LATERAL\nbb-1,10000764,57375967,CHEST,AP\n"
    "cc-1,10000898,50771383,CHEST,PA\ndd-1,10000935,51178377,CHEST,AP\nee-1,10000935,56522600,CHEST,AP\n",
    "chexpert": "subject_id,study_id,Atelectasis,No Finding\n10000032,50414267,,1.0\n10000764,57375967,-1.0,\n"
    "10000898,50771383,,1.0\n10000935,51178377,1.0,\n",
    "split": "dicom_id,study_id,subject_id,split\naa-1,50414267,10000032,train\naa-2,50414267,10000032,train\n"
    "bb-1,57375967,10000764,validate\ncc-1,50771383,10000898,test\ndd-1,51178377,10000935,test\n"
    "ee-1,56522600,10000935,test\n",
}


def mimic(pack, tmp_path) -> list[Source]:
    """Return archives in PhysioNet's layout; study 51178377 has a report without impression."""
    for name, text in MIMIC.items():
        (tmp_path / f"mimic-cxr-2.0.0-{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    tables = [Source(tmp_path / f"mimic-cxr-2.0.0-{name}.csv.gz") for name in MIMIC]
    rows = [line.split(",") for line in MIMIC["metadata"].splitlines()[1:]]
    places = {(row[0], row[2]): f"files/p{row[1][:2]}/p{row[1]}/s{row[2]}" for row in rows}
    reports = {f"{place}.txt": REPORT.format(more=study).encode() for (_, study), place in places.items()}
    reports["files/p10/p10000935/s51178377.txt"] = b"FINDINGS: Clear."
    images = {f"{place}/{dicom}.jpg": b"" for (dicom, _), place in places.items()}
    return [*tables, pack("mimic-cxr-reports.zip", reports), pack("mimic_cxr.zip", images | {"LICENSE.txt": b""})]


def test_frontal_images_with_an_impression_keep_the_split_of_the_publisher(pack, tmp_path):
    sources = mimic(pack, tmp_path)
    table = mimic_cxr.index(*sources)
    assert table.drop(columns="caption").to_dict("list") == {
        "image_id": ["aa-1", "bb-1", "cc-1"],
        "group_id": ["p10000032", "p10000764", "p10000898"],
        "label": ["no finding", "finding", "no finding"],
        "source_file": [
            "mimic_cxr.zip/files/p10/p10000032/s50414267/aa-1.jpg",
            "mimic_cxr.zip/files/p10/p10000764/s57375967/bb-1.jpg",
            "mimic_cxr.zip/files/p10/p10000898/s50771383/cc-1.jpg",
        ],
        "split": ["train", "validation", "test"],
        "view_position": ["PA", "AP", "PA"],
    }
    assert table["caption"][0].startswith("No acute cardiopulmonary process.")
    assert len(sources[0].losses.names("unreported")) == 1
