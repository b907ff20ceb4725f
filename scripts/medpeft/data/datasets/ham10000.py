"""HAM10000: dermatoscopic images of pigmented skin lesions (Tschandl et al. 2018, Scientific Data 5:180161).

The publisher, Harvard Dataverse, offers two archives of images `ISIC_<number>.jpg` and a table. The copy on Kaggle is
one archive with the same images in the folders `HAM10000_images_part_1/` and `HAM10000_images_part_2/`, there a second
time under the same names in small letters, and the table without its column `dataset`.
"""

import pandas as pd

from medpeft.data.archives import Source, columns_in, find_images, find_table, with_images
from medpeft.data.dataset import Archive, Caveat, Dataset

DATAVERSE = "https://dataverse.harvard.edu/api/access/datafile"
ATTRIBUTES = {"sex": "sex", "age": "age", "localization": "localization", "dx_type": "dx_type"}
DIAGNOSES = {
    "akiec": "actinic keratosis or intraepithelial carcinoma",
    "bcc": "basal cell carcinoma",
    "bkl": "benign keratosis",
    "df": "dermatofibroma",
    "mel": "melanoma",
    "nv": "melanocytic nevus",
    "vasc": "vascular lesion",
}


def index(*sources: Source) -> pd.DataFrame:
    """Return one row an image, sorted by image_id; images of one lesion are a group. See `Dataset.index`."""
    table = find_table(sources, "HAM10000_metadata*", ["image_id", "lesion_id", "dx", "localization"])
    table = with_images(table, find_images(sources, r"(ISIC_\d+)\.jpg"), sources[0])
    place = table["localization"].where(table["localization"] != "unknown", "unknown site")
    return pd.DataFrame(
        {
            "image_id": table["image_id"],
            "group_id": table["lesion_id"],
            "label": table["dx"],
            "caption": "Dermatoscopic image, " + table["dx"].replace(DIAGNOSES) + ", " + place + ".",
            "source_file": table["source_file"],
        }
        | columns_in(table, ATTRIBUTES)
    )


DATASET = Dataset(
    title="HAM10000 pigmented skin lesions",
    archives=(
        Archive(
            name="HAM10000_images_part_1.zip",
            urls=(f"{DATAVERSE}/3172585",),
            checksum="md5:4639bfa73ab251610530a97c898e6e46",
        ),
        Archive(
            name="HAM10000_images_part_2.zip",
            urls=(f"{DATAVERSE}/3172584",),
            checksum="md5:da43d6cc50f6613013be07e8986b384b",
        ),
        # Without a checksum: the copies on Dataverse and Kaggle differ in columns that are not read.
        Archive(name="HAM10000_metadata.csv", urls=(f"{DATAVERSE}/4338392?format=original",)),
    ),
    index=index,
    counts={"akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142},
    sizes=(7511, 1001, 1503),
    attributes=tuple(ATTRIBUTES),
    licence="CC BY-NC 4.0",
    access="public, no account, about 2.6 GB (Harvard Dataverse, doi:10.7910/DVN/DBW86T); or unpack the archive "
    "kmader/skin-cancer-mnist-ham10000 of Kaggle into a folder and name that folder as the mirror",
    citation="Tschandl et al. 2018, Scientific Data 5:180161, doi:10.1038/sdata.2018.161",
    caveats=(
        Caveat(
            "10,015 images show 7,470 lesions: the published sizes are those of a split by image, under which images "
            "of one lesion lie on both sides.",
            protocol="paper",
        ),
        "Some lesions have two ids (Abhishek et al. 2025, Scientific Data 12:196), and patients are not known.",
        "Of the classes, akiec, bcc, df and vasc have few images, so that accuracy is mostly that of nevi.",
    ),
)
