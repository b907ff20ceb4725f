"""BUSI: breast ultrasound images of Baheya Hospital, Cairo (Al-Dhabyani et al. 2020, Data in Brief 28:104863).

The archive holds `Dataset_BUSI_with_GT/<class>/<class> (n).png` and beside each image one or more masks, named
`<class> (n)_mask.png`, `<class> (n)_mask_1.png` and so on, which are left out.
"""

import re

import pandas as pd

from medpeft.data.archives import Source
from medpeft.data.dataset import Archive, Dataset

COUNTS = {"benign": 437, "malignant": 210, "normal": 133}
ARCHIVE = Archive(
    name="busi.zip",
    urls=(
        "https://scholar.cu.edu.eg/Dataset_BUSI.zip",
        "https://www.kaggle.com/api/v1/datasets/download/aryashah2k/breast-ultrasound-images-dataset",
    ),
)
# Whatever folder it lies in: copies differ in that, and macOS adds `__MACOSX/.../._benign (1).png`.
IMAGE = re.compile(r"(?:.*/)?((benign|malignant|normal) \(\d+\))\.png", re.IGNORECASE)


def index(source: Source) -> pd.DataFrame:
    """Return one row an image, sorted by image_id (`benign (1)`); each is its own group, for want of patient ids."""
    found = ((IMAGE.fullmatch(name), name) for name in source.names() if not name.startswith("__MACOSX/"))
    rows = [(match[1].lower(), match[2].lower(), name) for match, name in found if match]
    table = pd.DataFrame(rows, columns=["image_id", "label", "member"]).sort_values("image_id", ignore_index=True)
    return pd.DataFrame(
        {
            "image_id": table["image_id"],
            "group_id": table["image_id"],
            "label": table["label"],
            "caption": "Breast ultrasound, " + table["label"] + ".",
            "source_file": f"{ARCHIVE.name}/" + table["member"],
        }
    )


DATASET = Dataset(
    title="BUSI breast ultrasound",
    archives=(ARCHIVE,),
    index=index,
    counts=COUNTS,
    sizes=(584, 77, 119),
    licence="none stated with the archive; the article is CC BY",
    access="public, no account",
    citation="Al-Dhabyani et al. 2020, Data in Brief 28:104863, doi:10.1016/j.dib.2019.104863",
    caveats=(
        "About 600 patients gave 780 images but no patient ids are published, so that images of one patient can lie on "
        "both sides of a split unless they are so alike as to be found as duplicates.",
        "Many images are duplicates, some with contradicting labels (Pawłowska et al. 2023, Data in Brief 48:109247).",
    ),
)
