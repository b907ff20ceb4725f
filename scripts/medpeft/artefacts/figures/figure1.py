"""The score against the number of training images, the spread over seeds, and where full fine-tuning overtakes."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import NullLocator

from medpeft.artefacts.palette import style
from medpeft.artefacts.panels import PUBLISHED, by_method, line_look, panels
from medpeft.artefacts.parts.majority import draw_floor, with_floor
from medpeft.artefacts.parts.published import published_f1
from medpeft.artefacts.registry import Figure
from medpeft.artefacts.selection import experiment
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import percent
from medpeft.base.frames import each_row
from medpeft.base.runs import CELL
from medpeft.statistics.metrics import METRICS

CAPTION = (
    "{metric} against the share of training images. Bands: one standard deviation over seeds. A ring marks a "
    "crossover, the bar the sizes that show it: the method is ahead at its left end and behind at its right. "
    "Dashed: always predicting the majority class of the training images."
)
FIGURE = Figure(
    CAPTION,
    "low_data",
    1,
    ("runs", "scores", "crossovers", "floors", "primary"),
    published=("figure1",),
    experiments=("figure1",),
    narrow=(1, 55),
)
LEVEL_LABELS = 5  # fractions, more of which have labels turned upright


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """The score against the number of training images, the spread over seeds, and where full fine-tuning overtakes.

    A crossover that the data show is ringed, with a bar between the sizes that show it. Published lines are dashed.
    """
    metric = sources.primary
    cells = experiment(sources, "figure1").sort_values(["dataset", "backbone", "method", "fraction"], kind="stable")
    columns = ["dataset", "backbone", "method", "fraction", "n_train", metric, f"{metric}_std"]
    published = published_f1(sources, "figure1")[[*CELL, "published_f1"]]
    cells = cells.reindex(columns=columns).merge(published, on=CELL, how="left")
    cells = with_floor(cells, sources, metric)
    shown = cells[["dataset", "backbone", "method"]].drop_duplicates()
    crossings = sources.crossovers.merge(shown, on=["dataset", "backbone", "method"])

    def draw(axes: Axes, key: Any, rows: pd.DataFrame) -> None:
        sizes: dict[Any, Any] = rows.groupby("fraction")["n_train"].max().to_dict()
        for method, line in by_method(rows):
            look = style(method)
            at = line["fraction"].to_numpy()
            spread = line[f"{metric}_std"].fillna(0)
            axes.fill_between(at, line[metric] - spread, line[metric] + spread, color=look.colour, alpha=0.1, lw=0)
            axes.plot(at, line[metric], **line_look(method))
            if line["published_f1"].notna().any():
                axes.plot(at, line["published_f1"], **line_look(method) | PUBLISHED | {"mec": look.colour, "ms": 4})
        draw_floor(axes, rows["floor"].iloc[0])
        here = crossings[(crossings["dataset"] == key[0]) & (crossings["backbone"] == key[1])]
        for crossing in each_row(here):
            colour = style(crossing.method).colour
            axes.plot(crossing.fraction, crossing.score, "o", ms=11, mfc="none", mec=colour, mew=1.2)
            axes.plot([crossing.low, crossing.high], 2 * [crossing.score], "|-", color=colour, lw=1, ms=6)
        axes.set_xscale("log")
        many = len(sizes) > LEVEL_LABELS
        labels = [f"{percent(fraction)}{', ' if many else chr(10)}{size:,.0f}" for fraction, size in sizes.items()]
        axes.set_xticks(list(sizes), labels, rotation=90 if many else 0)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("Share and number of training images")
        axes.set_ylabel(f"{METRICS[metric].heading} on the test images")

    figure = panels(cells, draw)
    crossings = crossings.rename(columns={"score": metric}).assign(point="crossover")
    return pd.concat([cells.assign(point="mean"), crossings], ignore_index=True), figure
