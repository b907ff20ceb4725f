"""IU chest X-rays: radiographs with the radiologist's report (Demner-Fushman et al. 2016, JAMIA 23:304).

Open-i publishes them; Kaggle's copy is one archive of `indiana_reports.csv` (a row a report, `uid`),
`indiana_projections.csv` (a row an image) and `images/images_normalized/<filename>.png`. Frontal images are taken, with
the report's impression (else its findings) as caption. An image is normal where the report's only index term says so;
reports that nobody indexed are left out.
"""

import pandas as pd

from medpeft.data.archives import Source, find_images, find_table, with_images
from medpeft.data.dataset import Archive, Caveat, Dataset

NOT_INDEXED = "No Indexing"


def index(*sources: Source) -> pd.DataFrame:
    """Return one row a frontal image, sorted by image_id; images of one report are a group. See `Dataset.index`."""
    images = find_table(sources, "indiana_projections.csv", ["uid", "filename", "projection"])
    reports = find_table(sources, "indiana_reports.csv", ["uid", "Problems", "findings", "impression"])
    table = images[images["projection"] == "Frontal"].merge(reports, on="uid", validate="many_to_one")
    table = table[table["Problems"] != NOT_INDEXED]
    table = table.assign(image_id=table["filename"].str.removesuffix(".png").str.removesuffix(".dcm"))
    table = with_images(table, find_images(sources, r"([\w-]+)(?:\.dcm)?\.png"), sources[0])
    label = table["Problems"].where(table["Problems"] == "normal", "abnormal")
    caption = table["impression"].where(table["impression"] != "", table["findings"])
    caption = caption.str.split().str.join(" ")
    return pd.DataFrame(
        {
            "image_id": table["image_id"],
            "group_id": "report " + table["uid"],
            "label": label,
            "caption": caption.where(caption != "", "Frontal chest radiograph, " + label + "."),
            "source_file": table["source_file"],
        }
    )


DATASET = Dataset(
    title="IU chest X-rays",
    archives=(
        Archive(
            name="iu_xray.zip",
            urls=("https://www.kaggle.com/api/v1/datasets/download/raddar/chest-xrays-indiana-university",),
        ),
    ),
    index=index,
    counts={"abnormal": 2340, "normal": 1387},
    licence="CC BY-NC-ND 4.0 (Open-i)",
    access="public, no account, 14 GB (Kaggle: raddar/chest-xrays-indiana-university)",
    citation="Demner-Fushman et al. 2016, JAMIA 23:304-310, doi:10.1093/jamia/ocv080",
    caveats=(
        Caveat(
            "Abnormal is any report with an index term other than normal, a healed fracture as much as a tumour.",
            task="classification",
        ),
        Caveat("Names that de-identification removed stand as XXXX in the captions.", task="text-to-image"),
        "Reports are of different patients as far as is known; nothing else tells the patients.",
    ),
)
