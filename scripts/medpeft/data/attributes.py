"""What a dataset tells of its images beside their labels, such as sex, age and device, apart from the images.

An attribute retrains nothing: it is read in a stage of its own, and only for a study that compares subgroups of images.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.data.dataset import Dataset

UNKNOWN = "unknown"  # in place of a blank
LEAST_IMAGES = 20  # of which a value is known, to tell whether values are all different
NEARLY_ALL = 0.9  # share of these that have a value of their own, from which the values identify images
DATE = re.compile(
    r"(?:19|20)\d\d[-/.]?[01]\d[-/.]?[0-3]\d(?:[ T].*)?|[0-3]?\d[-/.][0-3]?\d[-/.](?:19|20)?\d\d"
    r"|(?:19|20)\d\d-[01]\d|[0-3]?\d[- ][A-Za-z]{3,9}[- ](?:19|20)?\d\d"
)
DECIMAL = re.compile(r"[+-]?\d+\.\d*[1-9]\d*")  # a measurement, of which any two may differ


def attributes(dataset: Dataset, archives: list[Path]) -> pd.DataFrame:
    """Return image_id and the attributes of each image as text; blanks are `UNKNOWN`.

    Args:
        dataset: How its archives are read, and which attributes they tell.
        archives: Its archives, in the order in which it reads them.

    Raises:
        UserError: The values of an attribute are dates, or differ for nearly all images, as identifiers do.
    """
    table, _ = dataset.listing(archives)
    columns = {name: _text(table[name]) for name in dataset.attributes}
    for name, values in columns.items():
        _refuse_personal(name, values, ", ".join(map(str, archives)))
    return pd.DataFrame({"image_id": table["image_id"]} | columns)


def read_attributes(path: str | Path) -> pd.DataFrame:
    """Return the table of attributes at `path`; every value is text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def unknowns(table: pd.DataFrame) -> Iterator[str]:
    """Yield what is to be said of each attribute in `table` that is not known of all images."""
    for name in table.columns[1:]:
        if count := int((table[name] == UNKNOWN).sum()):
            yield f"{name} is unknown of {count:,} of {len(table):,} images"


def _text(values: pd.Series) -> pd.Series:
    text = values.fillna("").astype(str).str.strip()
    return text.where(text != "", UNKNOWN)


def _refuse_personal(name: str, values: pd.Series, where: str) -> None:
    """Refuse values that tell of a person: they would stand in results."""
    known = values[values != UNKNOWN]
    if known.empty:
        return
    wrong = f"the attribute {name!r} in {where}"
    if known.str.fullmatch(DATE).mean() > 1 / 2:
        raise UserError(
            f"{wrong} holds dates, such as {known.iloc[0]!r}, which may tell of a person: give the age or the year in "
            "its place, or take it out of `attributes`"
        )
    measured = known.str.fullmatch(DECIMAL).any()
    if len(known) >= LEAST_IMAGES and known.nunique() >= NEARLY_ALL * len(known) and not measured:
        raise UserError(
            f"{wrong} has {known.nunique()} values for {len(known)} images, as identifiers do, which may tell of a "
            "person: take it out of `attributes`"
        )
