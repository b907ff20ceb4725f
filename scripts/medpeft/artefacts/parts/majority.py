"""The floor below every score: what always saying the majority class gets, in tables and figures."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from medpeft.artefacts.markup import Cell, number
from medpeft.artefacts.sources import Sources

FLOOR = "Majority class"
FLOOR_NOTE = (
    "Majority class: the score on the test images of always predicting the most frequent class of the training images, "
    "with the shares of the classes as probabilities."
)


def floor_of(sources: Sources, dataset: str, metric: str) -> float:
    """Return what the majority class of the training images of `dataset` scores; NaN where nobody computed it."""
    floors = sources.floors
    found = floors.loc[(floors["dataset"] == dataset) & (floors["metric"] == metric), "score"]
    return float(found.iloc[0]) if len(found) else np.nan


def floor_rows(sources: Sources, columns: list[tuple[str, str]], empty: int = 0) -> list[list[Cell]]:
    """Return the row of a table with the floor of each column, a dataset and a metric, then `empty` cells.

    Where none of the floors is known, there is no row.
    """
    scores = [floor_of(sources, *column) for column in columns]
    row = [Cell(FLOOR), *(Cell(number(score)) for score in scores), *[Cell("")] * empty]
    return [] if np.isnan(scores).all() else [row]


def floor_notes(sources: Sources) -> list[str]:
    """Return the note on the row of the floor; none where no floor is known."""
    return [] if sources.floors.empty else [FLOOR_NOTE]


def draw_floor(axes: Axes, height: float) -> None:
    """Draw the floor as a line, named where it ends; nothing where it is NaN."""
    if np.isnan(height):
        return
    axes.axhline(height, color="0.45", ls=(0, (4, 2)), lw=1, zorder=0)
    axes.annotate(
        FLOOR.lower(),
        (1, height),
        (-2, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=7,
        color="0.35",
    )


def with_floor(numbers: pd.DataFrame, sources: Sources, metric: str) -> pd.DataFrame:
    """Add the floor of each row's dataset to `numbers`, as `floor`."""
    return numbers.assign(floor=[floor_of(sources, dataset, metric) for dataset in numbers["dataset"]])
