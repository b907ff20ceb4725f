"""Validation score of every trial against its learning rate; the chosen one is ringed, crossed where it was blind."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from medpeft.artefacts.palette import style
from medpeft.artefacts.panels import by_method, line_look, panels
from medpeft.artefacts.registry import Figure
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import case_title
from medpeft.base.runs import Search
from medpeft.statistics.metrics import METRICS

CAPTION = (
    "Validation score of each trial of the learning-rate search. Rings: the rates chosen, crossed where the search was "
    "blind. Dotted: always answering the most frequent class."
)
FIGURE = Figure(CAPTION, "costs", 4, ("searches", "primary"), requires=("classification",), narrow=(1, 55))


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """Validation score of every trial against its rate; the chosen one is ringed, crossed where it was blind."""
    found = [
        trials.assign(
            **search._asdict(),
            chosen=trials["learning_rate"] == choice["learning_rate"],
            floor=choice["floor"],
            blind=choice["blind"],
        )
        for search, (trials, choice) in sources.searches.items()
    ]
    trials = pd.concat(found, ignore_index=True).astype({"fraction": float, "seed": "Int64"})
    trials = trials.sort_values([*Search._fields, "learning_rate"], kind="stable")
    done = trials.dropna(subset=["validation_score"])

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        for floor in rows["floor"].unique():
            axes.axhline(floor, color="0.4", ls=":", lw=1)
        for method, lines in by_method(rows):
            for _, line in lines.groupby("seed", dropna=False):
                axes.plot(line["learning_rate"], line["validation_score"], **line_look(method) | {"lw": 1})
            best = lines[lines["chosen"]]
            look: dict[str, Any] = {"ms": 12, "mec": style(method).colour, "mew": 1.5, "ls": "none"}
            axes.plot(best["learning_rate"], best["validation_score"], marker="o", mfc="none", **look)
            blind = best[best["blind"]]
            axes.plot(blind["learning_rate"], blind["validation_score"], marker="x", **look)
        axes.set_xscale("log")
        axes.set_xlabel("Learning rate")
        axes.set_ylabel(f"Validation score ({METRICS[sources.primary].label})")

    if done["fraction"].isna().all():
        return trials, panels(done, draw)
    return trials, panels(done, draw, by=("dataset", "backbone", "fraction"), title=lambda key: case_title(*key))
