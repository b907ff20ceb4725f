"""The captions of a dataset, apart from its images: another caption changes nothing but text-to-image."""

from pathlib import Path

import pandas as pd

from medpeft.data.dataset import Dataset


def captions(dataset: Dataset, archives: list[Path]) -> pd.DataFrame:
    """Return image_id and caption of each image.

    Args:
        dataset: How its archives are read.
        archives: Its archives, in the order in which it reads them.
    """
    table, _ = dataset.listing(archives)
    return table[["image_id", "caption"]]
