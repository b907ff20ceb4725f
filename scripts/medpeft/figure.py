"""The figures: each function returns the plotted numbers and draws them."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from medpeft.markup import number
from medpeft.palette import in_order, style
from medpeft.table import experiment, full_data, percent, plain

PANEL = (4.3, 3.3)  # width and height of one panel, in inches
COLUMNS = 2
WITHOUT_DATES = {"pdf": {"CreationDate": None, "ModDate": None}, "png": {"Software": None}}


@dataclass(frozen=True)
class Sources:
    """The tables behind the figures; `trials` has one row a trial with the chosen ones marked in `chosen`."""

    runs: pd.DataFrame
    scores: pd.DataFrame
    crossovers: pd.DataFrame
    trials: pd.DataFrame


def figure1(sources: Sources) -> tuple[pd.DataFrame, Figure]:
    """Micro-F1 against the number of training images, the spread over seeds, and where full fine-tuning overtakes."""
    cells = experiment(sources, "figure1").sort_values(["dataset", "backbone", "method", "fraction"], kind="stable")
    columns = ["dataset", "backbone", "method", "fraction", "n_train", "f1_micro", "f1_micro_std"]
    cells = cells.reindex(columns=columns)
    shown = cells[["dataset", "backbone", "method"]].drop_duplicates()
    crossings = sources.crossovers.merge(shown, on=["dataset", "backbone", "method"])

    def draw(axes, key, rows):
        sizes = rows.groupby("fraction")["n_train"].max()
        for method, line in _by_method(rows):
            look = style(method)
            at = line["fraction"].to_numpy()
            spread = line["f1_micro_std"].fillna(0)
            axes.fill_between(
                at, line["f1_micro"] - spread, line["f1_micro"] + spread, color=look.colour, alpha=0.1, lw=0
            )
            axes.plot(at, line["f1_micro"], **_line(method))
        here = crossings[(crossings["dataset"] == key[0]) & (crossings["backbone"] == key[1])]
        for crossing in here.itertuples():
            colour = style(crossing.method).colour
            axes.axvline(crossing.fraction, color=colour, ls=":", lw=1, zorder=0)
            axes.plot(crossing.fraction, crossing.f1_micro, "o", ms=11, mfc="none", mec=colour, mew=1.2)
        axes.set_xscale("log")
        axes.set_xticks(list(sizes.index), [f"{percent(fraction)}\n{size:,.0f}" for fraction, size in sizes.items()])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("Share and number of training images")
        axes.set_ylabel("Micro-F1 on the test images")

    figure = _panels(cells, draw)
    crossings = crossings.assign(point="crossover")
    return pd.concat([cells.assign(point="mean"), crossings], ignore_index=True), figure


def figure3(sources: Sources) -> tuple[pd.DataFrame, Figure]:
    """Micro-F1 against trainable parameters with all training images; bars are 95 % intervals over test images."""
    parameters = sources.runs.groupby(["dataset", "backbone", "method"])["trainable_parameters"].first().reset_index()
    cells = full_data(experiment(sources, "table2")).merge(parameters, on=["dataset", "backbone", "method"])
    columns = ["dataset", "backbone", "method", "trainable_parameters", "f1_micro", "f1_micro_low", "f1_micro_high"]
    cells = cells[columns]

    def draw(axes, key, rows):
        for method, point in _by_method(rows):
            look, f1 = style(method), point["f1_micro"]
            bars = [f1 - point["f1_micro_low"], point["f1_micro_high"] - f1]
            axes.errorbar(
                point["trainable_parameters"],
                f1,
                yerr=bars,
                color=look.colour,
                elinewidth=1,
                capsize=2,
                **_point(method),
            )
        axes.set_xscale("log")
        axes.margins(x=0.12)
        axes.set_xlabel("Trainable parameters, head included")
        axes.set_ylabel("Micro-F1 on the test images")

    return cells, _panels(cells, draw)


def tuning(sources: Sources) -> tuple[pd.DataFrame, Figure]:
    """Validation score of every trial against its learning rate; the chosen one is ringed."""
    trials = sources.trials.sort_values(["dataset", "backbone", "method", "learning_rate"], kind="stable")
    done = trials.dropna(subset=["validation_score"])

    def draw(axes, key, rows):
        for method, line in _by_method(rows):
            axes.plot(line["learning_rate"], line["validation_score"], **_line(method) | {"lw": 1})
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
        axes.set_ylabel("Validation score (micro-F1)")

    return trials, _panels(done, draw)


FIGURES: dict[str, Callable[[Sources], tuple[pd.DataFrame, Figure]]] = {
    "figure1": figure1,
    "figure3": figure3,
    "tuning": tuning,
}


def save(figure: Figure, pdf: str, png: str) -> None:
    """Write `figure` as PDF and PNG (200 dpi) without dates, so that equal figures give equal bytes."""
    figure.savefig(pdf, format="pdf", metadata=WITHOUT_DATES["pdf"])
    figure.savefig(png, format="png", dpi=200, metadata=WITHOUT_DATES["png"])


def _panels(table: pd.DataFrame, draw: Callable) -> Figure:
    """Return a figure with one panel a dataset and backbone, drawn by `draw(axes, key, rows)`, and one legend below."""
    groups = list(table.groupby(["dataset", "backbone"], sort=False))
    columns = min(COLUMNS, max(1, len(groups)))
    lines = max(1, -(-len(groups) // columns))
    methods = in_order(table["method"])
    legend_columns = min(len(methods), 3 * columns) or 1
    legend_height = 0.3 * -(-len(methods) // legend_columns) + 0.15
    size = (PANEL[0] * columns + 0.4, PANEL[1] * lines + legend_height)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (key, rows) in zip(grid, groups, strict=False):
        draw(axes, key, rows)
        axes.set_title(f"{plain(key[0])}, {key[1]}", fontsize=10)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 2)))
        axes.grid(visible=True, color="0.9", lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(groups) :]:
        axes.set_axis_off()
    handles = [Line2D([], [], **_line(method)) for method in methods]
    figure.legend(handles=handles, loc="outside lower center", ncols=legend_columns, frameon=False, fontsize=9)
    return figure


def _by_method(rows: pd.DataFrame):
    return [(method, rows[rows["method"] == method]) for method in in_order(rows["method"])]


def _line(method: str) -> dict:
    return {"color": style(method).colour, "lw": 2 if method == "full" else 1.4} | _point(method)


def _point(method: str) -> dict:
    look = style(method)
    return {"marker": look.marker, "ms": 7, "mec": "white", "mew": 0.6, "label": look.label}
