"""RSNA Pneumonia Detection Challenge 2018: frontal chest radiographs (Shih et al. 2019, Radiology AI 1:e180041).

Kaggle's one archive holds `stage_2_train_images/<patientId>.dcm`, `stage_2_train_labels.csv` with a row for each box
that a radiologist drew, hence several for one image, and `stage_2_detailed_class_info.csv` with three classes, its rows
repeated likewise. The test images have no labels and are left out.

`patientId` is of an image, not of a patient. RSNA publishes in another file which image of NIH ChestX-ray each one is.
The names of those, `<patient>_<follow-up>.png`, tell the patients, which are the groups where
that file lies beside the tables.
"""

import json

import pandas as pd

from medpeft.data.archives import Source, find_images, find_member, find_table, with_images
from medpeft.data.dataset import Archive, Dataset

LABELS = {"0": "no pneumonia", "1": "pneumonia"}
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"


def index(*sources: Source) -> pd.DataFrame:
    """Return one row an image, sorted by image_id; images of one NIH patient are a group where `MAPPING` is there.

    See `Dataset.index`.
    """
    boxes = find_table(sources, "stage_2_train_labels.csv", ["patientId", "Target"])
    table = boxes.drop_duplicates("patientId").rename(columns={"patientId": "image_id"})
    table = with_images(table, find_images(sources, r"stage_2_train_images/([\w-]+)\.dcm"), sources[0])
    classes = find_table(sources, "stage_2_detailed_class_info.csv", ["patientId", "class"])
    finding = table["image_id"].map(classes.drop_duplicates("patientId").set_index("patientId")["class"])
    label = table["Target"].replace(LABELS)
    patients = _patients(sources)
    sources[0].losses.add("ungrouped", *(image_id for image_id in table["image_id"] if image_id not in patients))
    return pd.DataFrame(
        {
            "image_id": table["image_id"],
            "group_id": [patients.get(image_id, image_id) for image_id in table["image_id"]],
            "label": label,
            "caption": "Frontal chest radiograph, " + finding.fillna(label).str.lower() + ".",
            "source_file": table["source_file"],
        }
    )


def _patients(sources: tuple[Source, ...]) -> dict[str, str]:
    """Return the NIH patient of each image, as far as RSNA's list of them is in `sources`."""
    found = find_member(sources, MAPPING)
    if not found:
        return {}
    source, member = found
    rows = json.loads(source.read(member))
    return {row["subset_img_id"]: "NIH " + row["img_id"].split("_")[0] for row in rows}


DATASET = Dataset(
    title="RSNA Pneumonia Detection Challenge",
    archives=(Archive("rsna_pneumonia.zip", ("kaggle:competitions/rsna-pneumonia-detection-challenge",)),),
    index=index,
    counts={"no pneumonia": 20672, "pneumonia": 6012},
    sizes=(20412, 2269, 4003),
    licence="RSNA's terms: research, education and any other use, commercial or not, with attribution; on Kaggle also "
    "the competition's rules",
    access="a Kaggle account that has accepted the rules of the competition rsna-pneumonia-detection-challenge; then "
    "`kaggle competitions download -c rsna-pneumonia-detection-challenge`, and the file that it gives is "
    "rsna_pneumonia.zip; to keep a patient's images together, add "
    f"https://s3.amazonaws.com/east1.public.rsna.org/AI/2018/{MAPPING} to it (`zip rsna_pneumonia.zip {MAPPING}`)",
    citation="Shih et al. 2019, Radiology: Artificial Intelligence 1:e180041, doi:10.1148/ryai.2019180041; images: "
    "Wang et al. 2017, CVPR, doi:10.1109/CVPR.2017.369",
    caveats=(
        "The archive's patientId names an image, not a patient: unless RSNA's list of the NIH images is added to it, "
        "images of one patient can lie on both sides of a split.",
        "Pneumonia means opacities that radiologists suspect to be pneumonia; no other test confirms it.",
        "Images without pneumonia show other diseases in more than half of the cases.",
    ),
    tolerated=("ungrouped",),
    labels="binary",
    positive="pneumonia",
)
