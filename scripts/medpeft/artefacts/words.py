"""Names and phrases as readers see them."""

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import GAP, number

ENCODERS = {"cnn": "Convolutional networks", "vit": "Vision transformers"}


def plain(name: str) -> str:
    """Return the name of a dataset as a reader sees it."""
    return name.replace("_", " ")


def percent(fraction: float) -> str:
    """Return a training fraction as per cent."""
    return f"{100 * fraction:g} %"


def share(value: float) -> str:
    """Return a share, 0 to 1, as per cent with one decimal; a missing one is a gap."""
    return GAP if np.isnan(value) else f"{number(100 * value, 1)} %"


def span(counts: pd.Series) -> str:
    """Return whole numbers as `77`, or where they differ as `75 to 78`."""
    return " to ".join(f"{count:,}" for count in sorted({counts.min(), counts.max()}))


def case_title(dataset: str, backbone: str, fraction: float) -> str:
    """Return what a group of rows on one dataset, backbone and fraction is headed by."""
    return f"{plain(dataset)}, {backbone}, {percent(fraction)}"


def group_title(encoder: str, fraction: float, rows: pd.DataFrame) -> str:
    """Return what a group of rows over the blocks of one kind of encoder is headed by."""
    count = int(rows["blocks"].iloc[0])
    return f"{ENCODERS[encoder]}, {percent(fraction)}, {count} block{'' if count == 1 else 's'}"


def friedman_words(test: pd.Series) -> str:
    """Return the result of Friedman's test as a clause, or why there is none."""
    if test["status"] != "ok":
        return test["status"].capitalize()
    return (
        f"Friedman's test p {number(test['permutation_p_value'])} by permutation, {number(test['p_value'])} by "
        f"chi-square; critical difference {number(test['critical_difference'], 2)}"
    )
