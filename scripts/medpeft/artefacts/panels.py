"""What figures share: panels, their legend, and how a method is drawn."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from medpeft.artefacts.markup import number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.words import plain
from medpeft.base.files import replacing
from medpeft.base.frames import each_group
from medpeft.base.glyphs import give_glyphs

# Width and height of a panel in inches and size of its letters in points, by the number of columns.
PANELS = {1: (4.3, 3.3, 10), 2: (4.3, 3.3, 10), 3: (3.2, 2.4, 8.5), 4: (2.5, 2.4, 8)}
MOST_IN = {2: 4, 3: 9}  # panels that so many columns take
LEGEND_COLUMN = 1.4  # inches
LETTERS = 115  # of a title that are as wide as an inch for each point of their size
PUBLISHED: dict[str, Any] = {"ls": "--", "lw": 0.8, "mfc": "none", "mew": 1}  # hollow and dashed
NOTHING = "No result: the runs failed."
WITHOUT_DATES = {"pdf": {"CreationDate": None, "ModDate": None}, "png": {"Software": None}}


def panels(
    table: pd.DataFrame,
    draw: Callable[[Axes, Any, pd.DataFrame], None],
    by: tuple[str, ...] = ("dataset", "backbone"),
    title: Callable[[Any], str] | None = None,
    columns: int | None = None,
    handles: list[Line2D] | None = None,
) -> Figure:
    """Return a figure with one panel a group of `by`, drawn by `draw(axes, key, rows)`, and one legend below.

    The legend has `handles`, or the methods where they are left out.
    """
    groups = list(each_group(table, list(by)))
    columns = columns or next((count for count, most in MOST_IN.items() if len(groups) <= most), max(PANELS))
    columns = min(columns, len(groups)) or 1
    lines = max(1, -(-len(groups) // columns))
    handles = _handles(table) if handles is None else handles
    width, height, letters = PANELS[columns]
    legend_columns = min(len(handles), int(width * columns / LEGEND_COLUMN)) or 1
    legend_height = 0.3 * -(-len(handles) // legend_columns) + 0.15
    figure = Figure(figsize=(width * columns + 0.4, height * lines + legend_height), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (key, rows) in zip(grid, groups, strict=False):
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 2)))
        axes.grid(visible=True, color="0.9", lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, key, rows)
        if not np.isfinite(axes.dataLim.get_points()).all():
            _say_nothing(axes, letters)
        axes.set_title(title(key) if title else _title(key[0], key[1], width / letters))
        axes.title.set_size(letters)
        axes.tick_params(labelsize=letters)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_size(letters)
    for axes in grid[len(groups) :]:
        axes.set_axis_off()
    if not groups:
        _say_nothing(grid[0], letters)
    figure.legend(handles=handles, loc="outside lower center", ncols=legend_columns, frameon=False, fontsize=9)
    return figure


def _title(dataset: str, backbone: str, room: float) -> str:
    """Return the title of a panel that is `room` inches wide a point of its letters: on a line, or on several."""
    letters = int(room * LETTERS)
    line = f"{plain(dataset)}, {backbone}"
    return line if len(line) <= letters else "\n".join([*textwrap.wrap(plain(dataset), letters), backbone])


def _say_nothing(axes: Axes, letters: float) -> None:
    """Write into a panel without a result that it has none; its scales would say nothing."""
    axes.text(0.5, 0.5, NOTHING, ha="center", va="center", fontsize=letters, transform=axes.transAxes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([])
        axis.set_ticks([], minor=True)


def _handles(table: pd.DataFrame) -> list[Line2D]:
    """Return the legend's entries: the methods, and published values if `table` has any."""
    handles = [Line2D([], [], **line_look(method)) for method in in_order(table["method"])]
    if "published_f1" in table and table["published_f1"].notna().any():
        handles.append(Line2D([], [], color="0.4", marker="o", ms=6, label="Published", **PUBLISHED))
    return handles


def by_method(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(method, rows[rows["method"] == method]) for method in in_order(rows["method"])]


def line_look(method: str) -> dict:
    return {"color": style(method).colour, "lw": 2 if method == "full" else 1.4} | point_look(method)


def point_look(method: str) -> dict:
    look = style(method)
    return {"marker": look.marker, "ms": 7, "mec": "white", "mew": 0.6, "label": look.label}


def save(figure: Figure, pdf: str | Path, png: str | Path) -> None:
    """Write `figure` as PDF and PNG (200 dpi) without dates, so that equal figures give equal bytes."""
    give_glyphs(figure)
    with replacing(pdf) as temporary:
        figure.savefig(temporary, format="pdf", metadata=WITHOUT_DATES["pdf"])
    with replacing(png) as temporary:
        figure.savefig(temporary, format="png", dpi=200, metadata=WITHOUT_DATES["png"])
