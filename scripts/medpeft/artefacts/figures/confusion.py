"""Which classes are taken for which, with all training images."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from medpeft.artefacts.markup import number
from medpeft.artefacts.palette import style
from medpeft.artefacts.panels import panels
from medpeft.artefacts.parts.details import CASE, shown_cells
from medpeft.artefacts.registry import Figure
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import plain
from medpeft.statistics.significance import BASELINE

CAPTION = (
    "Confusion matrices, averaged over seeds: the share of the test images of each class (row) that is predicted to be "
    "of each class (column)."
)
FIGURE = Figure(
    CAPTION, "details", 4, ("confusions", "per_class", "primary"), requires=("classification",), narrow=(1, 45)
)
MOST_CASES = 4  # datasets with backbones; of more, full fine-tuning alone is shown
DARK = 0.55  # the share from which numbers are white
MOST_NUMBERS = 8  # classes, more of which leave no room for numbers


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """Which classes are taken for which, with all training images; the numbers are those of all methods."""
    shown = sources.confusions.merge(shown_cells(sources), on=[*CASE, "method"])
    shown = shown.assign(case=shown["dataset"] + "/" + shown["backbone"])
    if shown["case"].nunique() > MOST_CASES:
        shown = shown[shown["method"] == BASELINE]

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        classes = list(dict.fromkeys(rows["label"]))
        share = rows.pivot(index="label", columns="predicted", values="share").loc[classes, classes].to_numpy(float)
        axes.imshow(np.nan_to_num(share), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        if len(classes) <= MOST_NUMBERS:
            for (row, column), value in np.ndenumerate(share):
                colour = "white" if value > DARK else "black"
                axes.text(column, row, number(value, 2), ha="center", va="center", fontsize=7.5, color=colour)
        axes.grid(visible=False)
        places = range(len(classes))
        axes.set_xticks(places, classes, rotation=30, ha="right")
        axes.set_yticks(places, classes)
        axes.set_xlabel("Predicted class")
        axes.set_ylabel("True class")

    def title(key: tuple[str, str]) -> str:
        dataset, _, backbone = key[0].partition("/")
        return f"{plain(dataset)}\n{backbone}\n{style(key[1]).label}"

    columns = 2 if shown["case"].nunique() <= 1 else 4
    return sources.confusions, panels(shown, draw, by=("case", "method"), title=title, columns=columns, handles=[])
