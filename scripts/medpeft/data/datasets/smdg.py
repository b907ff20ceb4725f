"""SMDG-19: fundus photographs of 19 public glaucoma datasets in one form (Kiefer 2023, Kaggle).

Kaggle's one archive holds `full-fundus/full-fundus/<name>.png`, masks of the optic disc, cup and vessels under the same
names in other folders, and `metadata - standardized.csv` (`metadata.csv` in other copies). Its column `types` is 1 for
glaucoma, 0 for none, and -1 for the suspects, which are left out.
"""

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.data.archives import Source, find_images, find_table, with_images
from medpeft.data.dataset import Archive, Dataset

LABELS = {"0": "non-glaucoma", "1": "glaucoma"}
OLDER_ROWS = 12_049  # rows of the version on GitHub, which lacks the 400 of FIVES
# Original names that tell patient and eye: `1029_right.jpg`, `Healthy-P_2-Left Eye`.
EYE_NAME = r"^(?P<patient>.+)[-_](?:left|right|l|r)(?: eye)?(?:\.\w+)?$"


def index(*sources: Source) -> pd.DataFrame:
    """Return one row an image, sorted by image_id; a patient's eyes are a group as far as names tell them.

    See `Dataset.index`. Raises `UserError` for the older version of the table.
    """
    table = find_table(sources, "metadata*.csv", ["names", "types", "original_name"])
    if len(table) == OLDER_ROWS:
        raise UserError(
            f"the metadata in {', '.join(str(source.path) for source in sources)} are the older version of SMDG, as on "
            f"GitHub: it has {OLDER_ROWS:,} rows, without the 400 images of FIVES that the published study used; fetch "
            "the current version from Kaggle"
        )
    suspects = table["types"] == "-1"
    table = table[~suspects].assign(image_id=table["names"], group_id=_patients(table))
    table = with_images(table, find_images(sources, r"full-fundus/([\w-]+)\.png"), sources[0])
    label = table["types"].replace(LABELS)
    return pd.DataFrame(
        {
            "image_id": table["image_id"],
            "group_id": table["group_id"],
            "label": label,
            "caption": "Fundus photograph, " + label + ".",
            "source_file": table["source_file"],
            "source": _collection(table["names"]),
        }
    )


def _collection(names: pd.Series) -> pd.Series:
    """Return which of the public datasets each image comes from."""
    return names.str.replace(r"-\d+$", "", regex=True)


def _patients(table: pd.DataFrame) -> pd.Series:
    """Return the patient of each row: as the table names it, else from the original name, else the image itself."""
    named = table.get("patient_id", pd.Series("", index=table.index))
    # The folders of OIA-ODIR number their patients together.
    origin = _collection(table["names"]).str.replace(r"^(OIA-ODIR)-.*", r"\1", regex=True)
    stem = table["original_name"].str.extract(f"(?i){EYE_NAME}")["patient"]
    return named.where(named != "", (origin + " " + stem).fillna(table["names"]))


DATASET = Dataset(
    title="SMDG-19 glaucoma",
    archives=(Archive("smdg.zip", ("kaggle:datasets/deathtrooper/multichannel-glaucoma-benchmark-dataset",)),),
    index=index,
    counts={"glaucoma": 4817, "non-glaucoma": 7499},
    sizes=(9852, 1232, 1232),
    attributes=("source",),
    licence="that of each of the 19 datasets, as Kaggle's page lists them; research use",
    access="a Kaggle account; then `kaggle datasets download deathtrooper/multichannel-glaucoma-benchmark-dataset`, "
    "and the file that it gives is smdg.zip",
    citation="Kiefer 2023, SMDG, Kaggle, doi:10.34740/KAGGLE/DS/2329670; Kiefer et al. 2023, ICIVC, 460-465, "
    "doi:10.1109/ICIVC58118.2023.10270429",
    caveats=(
        "The 133 suspects are left out, as in the published study.",
        "Names tell the two eyes of a patient in four of the 19 sources; elsewhere they can lie on both sides of a "
        "split.",
        "EyePACS-AIROGS, a quarter of the images, holds glaucoma only: a network can learn the camera in place of the "
        "disease.",
    ),
    labels="binary",
    positive="glaucoma",
)
