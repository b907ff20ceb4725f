"""Validation score of every trial against its learning rate; the chosen one is ringed."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from medpeft.artefacts.palette import style
from medpeft.artefacts.panels import by_method, line_look, panels
from medpeft.artefacts.registry import Figure
from medpeft.artefacts.sources import Sources
from medpeft.statistics.metrics import METRICS

CAPTION = "Validation score of each trial of the learning-rate search. Rings: the rates chosen."
FIGURE = Figure(CAPTION, "costs", 4, ("searches",), requires=("classification",), narrow=(1, 55))


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """Validation score of every trial against its learning rate; the chosen one is ringed."""
    found = [
        trials.assign(**search._asdict(), chosen=trials["learning_rate"] == choice["learning_rate"])
        for search, (trials, choice) in sources.searches.items()
    ]
    trials = pd.concat(found, ignore_index=True).sort_values(
        ["dataset", "backbone", "method", "learning_rate"], kind="stable"
    )
    done = trials.dropna(subset=["validation_score"])

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        for method, line in by_method(rows):
            axes.plot(line["learning_rate"], line["validation_score"], **line_look(method) | {"lw": 1})
            best = line[line["chosen"]]
            axes.plot(
                best["learning_rate"],
                best["validation_score"],
                "o",
                ms=12,
                mfc="none",
                mec=style(method).colour,
                mew=1.5,
            )
        axes.set_xscale("log")
        axes.set_xlabel("Learning rate")
        axes.set_ylabel(f"Validation score ({METRICS[sources.primary].label})")

    return trials, panels(done, draw)
