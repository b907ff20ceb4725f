"""Fitzpatrick17k: clinical photographs of skin conditions on six types of skin (Groh et al. 2021, CVPR workshops).

The authors publish a table of links, most of which are dead, and give the images on request: `<md5hash>.jpg` in one
folder (`data/finalfitz17k/`). Images that are missing are left out. So are those without a skin type (scale -1), as in
the published study. The class is `three_partition_label`.
"""

import hashlib
from pathlib import Path

import pandas as pd

from medpeft.data.archives import Source, columns_in, find_images, find_table, with_images
from medpeft.data.dataset import Archive, Caveat, Dataset, Link
from medpeft.data.formats.pillow import open_image

TABLE_COLUMNS = ["md5hash", "fitzpatrick_scale", "label", "three_partition_label"]
ATTRIBUTES = {"skin_type": "fitzpatrick_scale"}
TABLE = "fitzpatrick17k.csv"
IMAGE_ARCHIVE = "fitzpatrick17k_images.zip"


def index(*sources: Source) -> pd.DataFrame:
    """Return one row an image that is there, sorted by image_id, its md5hash; each is its own group.

    See `Dataset.index`. The losses count the images that are missing or are not the ones that the table was made with.
    """
    table = find_table(sources, TABLE, TABLE_COLUMNS)
    table = table[table["fitzpatrick_scale"] != "-1"].rename(columns={"md5hash": "image_id"})
    table = with_images(table, _pictures(sources), sources[0])
    return pd.DataFrame(
        {
            "image_id": table["image_id"],
            "group_id": table["image_id"],
            "label": table["three_partition_label"],
            "caption": "Clinical photograph, " + table["label"] + ", skin type " + table["fitzpatrick_scale"] + ".",
            "source_file": table["source_file"],
        }
        | columns_in(table, ATTRIBUTES)
    )


def links(path: Path) -> list[Link]:
    """Return where the images with a skin type were when the table at `path` was made; some have no address."""
    table = find_table([Source(path)], TABLE, [*TABLE_COLUMNS, "url"])
    table = table[table["fitzpatrick_scale"] != "-1"]
    return [Link(f"{md5}.jpg", url, md5) for md5, url in zip(table["md5hash"], table["url"], strict=True)]


def _pictures(sources: tuple[Source, ...]) -> dict[str, str]:
    """Return the images that are there, but for files that are none, as dead links give web pages."""
    by_name = {source.path.name: source for source in sources}
    pictures = {}
    for image_id, place in find_images(sources, r"([0-9a-f]{32})\.(?:jpe?g|png)").items():
        archive, _, member = place.partition("/")
        content = by_name[archive].read(member)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != image_id:
            if not _is_picture(content):
                continue  # a missing one
            by_name[archive].losses.add("altered", image_id)
        pictures[image_id] = place
    return pictures


def _is_picture(content: bytes) -> bool:
    try:
        open_image(content).close()
    except ValueError:
        return False
    return True


DATASET = Dataset(
    title="Fitzpatrick17k skin conditions",
    archives=(
        Archive(
            name=TABLE,
            urls=("https://raw.githubusercontent.com/mattgroh/fitzpatrick17k/main/fitzpatrick17k.csv",),
            checksum="sha256:851dfaabf1791c2a8b1c2957619f3e0673cf0002f4ce924a5c02d185c7d4a1cd",
        ),
        Archive(name=IMAGE_ARCHIVE, links=links, listed_in=TABLE),
    ),
    index=index,
    counts={"benign": 2160, "malignant": 2160, "non-neoplastic": 11692},
    sizes=(12809, 1601, 1602),
    attributes=tuple(ATTRIBUTES),
    tolerated=("missing",),
    licence="CC BY-NC-SA 3.0; the images belong to the atlases DermaAmin and Atlas Dermatologico",
    access="the table is public; of the images the pipeline gathers what the table's links still give; for all of "
    "them fill in the form that https://github.com/mattgroh/fitzpatrick17k names, and the authors send a link; the "
    f"images, named <md5hash>.jpg and in any folder, are {IMAGE_ARCHIVE}, or lie unpacked in the mirror's folder "
    f"{IMAGE_ARCHIVE.removesuffix('.zip')}",
    citation="Groh et al. 2021, CVPR Workshops, 1820-1828, doi:10.1109/CVPRW53098.2021.00201",
    caveats=(
        Caveat(
            "The published study prints 5,809 training images; of the 16,012 with a skin type, 80 % are 12,809, which "
            "is taken to be meant.",
            protocol="paper",
        ),
        "Images that are missing are left out, so that the numbers here may be below the published ones.",
        "About a fifth of the images are near duplicates, and patients are not known.",
        "The diagnoses are those of the atlases; of 504 images that dermatologists looked at, 348 were diagnostic.",
    ),
)
