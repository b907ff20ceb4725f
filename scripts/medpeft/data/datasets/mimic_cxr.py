"""MIMIC-CXR-JPG 2.0.0: chest radiographs with the radiologist's report (Johnson et al. 2019, arXiv 1901.07042).

PhysioNet offers images `files/pXX/pXXXXXXXX/sXXXXXXXX/<dicom_id>.jpg`, tables of their projections, labels and the
publisher's split, and, in MIMIC-CXR, one text a study in `mimic-cxr-reports.zip`. Frontal images whose report has an
impression are taken, with it as caption. The class says whether CheXpert's labeller found any of 13 findings.
"""

import re

import pandas as pd

from medpeft.data.archives import Source, columns_in, find_images, find_table, visible_members, with_images
from medpeft.data.dataset import Archive, Caveat, Dataset

PHYSIONET = "https://physionet.org/files"
IMAGE_ARCHIVE = "mimic_cxr.zip"
ATTRIBUTES = {"view_position": "ViewPosition"}
SPLIT_NAMES = {"train": "train", "validate": "validation", "test": "test"}
# A section goes on to the next heading in capitals at the start of a line.
IMPRESSION = re.compile(r"^[ \t]*IMPRESSION:(.*?)(?=^[ \t]*[A-Z][A-Z /,()-]+:|\Z)", re.DOTALL | re.MULTILINE)


def index(*sources: Source) -> pd.DataFrame:
    """Return one row an image, sorted by image_id; images of one patient are a group. See `Dataset.index`."""
    images = find_table(
        sources, "mimic-cxr-2.0.0-metadata.csv*", ["dicom_id", "subject_id", "study_id", "ViewPosition"]
    )
    labels = find_table(sources, "mimic-cxr-2.0.0-chexpert.csv*", ["study_id", "No Finding"])
    split = find_table(sources, "mimic-cxr-2.0.0-split.csv*", ["dicom_id", "split"])
    table = images[images["ViewPosition"].isin(["PA", "AP"])]
    table = table.merge(labels[["study_id", "No Finding"]], on="study_id", validate="many_to_one")
    table = table.merge(split[["dicom_id", "split"]], on="dicom_id", validate="one_to_one")
    table = table.rename(columns={"dicom_id": "image_id"})
    table = with_images(table, find_images(sources, r"s\d+/([0-9a-f-]+)\.jpg"), sources[0])
    caption = table["study_id"].map(_impressions(sources, set(table["study_id"]))).fillna("")
    sources[0].losses.add("unreported", *table.loc[caption == "", "image_id"])
    table = table.assign(caption=caption)[caption != ""].reset_index(drop=True)
    return pd.DataFrame(
        {
            "image_id": table["image_id"],
            "group_id": "p" + table["subject_id"],
            "label": table["No Finding"].map({"1.0": "no finding"}).fillna("finding"),
            "caption": table["caption"],
            "source_file": table["source_file"],
            "split": table["split"].map(SPLIT_NAMES),
        }
        | columns_in(table, ATTRIBUTES)
    )


def _impressions(sources: tuple[Source, ...], studies: set[str]) -> dict[str, str]:
    """Return the impressions of `studies` whose reports, `s<study_id>.txt`, are in `sources`, on one line each."""
    found = {}
    for source, member in visible_members(sources):
        study = member.rpartition("/")[2].removeprefix("s").removesuffix(".txt")
        if member.endswith(".txt") and study in studies:
            found[study] = impression(source.read(member).decode("utf-8", "replace"))
    return found


def impression(report: str) -> str:
    """Return the impression in the text of a report on one line; empty where it has none."""
    match = IMPRESSION.search(report)
    return " ".join(match[1].split()) if match else ""


DATASET = Dataset(
    title="MIMIC-CXR-JPG chest radiographs",
    archives=(
        *(
            Archive(
                f"mimic-cxr-2.0.0-{name}.csv.gz", (f"{PHYSIONET}/mimic-cxr-jpg/2.0.0/mimic-cxr-2.0.0-{name}.csv.gz",)
            )
            for name in ("metadata", "chexpert", "split")
        ),
        Archive("mimic-cxr-reports.zip", (f"{PHYSIONET}/mimic-cxr/2.0.0/mimic-cxr-reports.zip",)),
        Archive(IMAGE_ARCHIVE),
    ),
    index=index,
    attributes=tuple(ATTRIBUTES),
    counts={"finding": None, "no finding": None},
    licence="PhysioNet Credentialed Health Data License 1.5.0",
    access="a credentialed PhysioNet account that has signed the data use agreements of mimic-cxr-jpg and mimic-cxr, "
    "its name and password in ~/.netrc (machine physionet.org); the 570 GB of images are fetched as PhysioNet's page "
    f"says, and the folder that holds them, with `files` in it, is the mirror's folder "
    f"{IMAGE_ARCHIVE.removesuffix('.zip')}, read in place, or is packed as {IMAGE_ARCHIVE}",
    citation="Johnson et al. 2019, MIMIC-CXR-JPG, PhysioNet, doi:10.13026/8360-t248; Johnson et al. 2019, Scientific "
    "Data 6:317, doi:10.1038/s41597-019-0322-0",
    caveats=(
        Caveat(
            "The labels are read from reports by a program (CheXpert); those that it was unsure of count as findings.",
            task="classification",
        ),
        "How the published study chose its 110,000 pairs is not said. Here a study takes all frontal images with an "
        "impression, which are more, or a random draw of as many as it says (generation.training_pairs).",
        Caveat(
            "The split of the publisher keeps patients apart, so that `paper` leaks no patient here.", protocol="paper"
        ),
    ),
)
