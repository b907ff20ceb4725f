"""The figures: each function returns the plotted numbers and draws them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator, NullLocator

from medpeft.artefacts.markup import number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.table import ENCODERS, experiment, full_data, percent, plain
from medpeft.base.runs import CELL
from medpeft.statistics.collect import distinct

# Width and height of a panel in inches and size of its letters in points, by the number of columns.
PANELS = {1: (4.3, 3.3, 10), 2: (4.3, 3.3, 10), 3: (3.2, 2.4, 8.5), 4: (2.5, 2.4, 8)}
MOST_IN = {2: 4, 3: 9}  # panels that so many columns take
LEGEND_COLUMN = 1.4  # inches
LEVEL_LABELS = 5  # fractions, more of which have labels turned upright
MARKERS = (6.5, 15)  # smallest and largest in points, where their size says something
COSTS = {
    "trainable_parameters": ("Trainable parameters, head included", 1),
    "peak_memory_bytes": ("Peak memory of training (MiB)", 2**20),
    "train_seconds": ("Training time (s)", 1),
}
PUBLISHED = {"ls": "--", "lw": 0.8, "mfc": "none", "mew": 1}  # hollow and dashed
WITHOUT_DATES = {"pdf": {"CreationDate": None, "ModDate": None}, "png": {"Software": None}}


@dataclass(frozen=True)
class Sources:
    """The tables behind the figures.

    `trials` has one row a trial, the chosen ones marked in `chosen`; `friedman` are the tests of `ranks` over blocks;
    `published` maps the name of a published table or figure to its rows.
    """

    runs: pd.DataFrame
    scores: pd.DataFrame
    crossovers: pd.DataFrame
    ranks: pd.DataFrame
    friedman: pd.DataFrame
    trials: pd.DataFrame
    published: dict[str, pd.DataFrame]


def figure1(sources: Sources) -> tuple[pd.DataFrame, Figure]:
    """Micro-F1 against the number of training images, the spread over seeds, and where full fine-tuning overtakes.

    A crossover is ringed, with a bar for its 95 % interval. Published lines, where there are any, are dashed.
    """
    cells = experiment(sources, "figure1").sort_values(["dataset", "backbone", "method", "fraction"], kind="stable")
    columns = ["dataset", "backbone", "method", "fraction", "n_train", "f1_micro", "f1_micro_std"]
    cells = _beside_published(cells.reindex(columns=columns), sources.published["figure1"], CELL)
    shown = cells[["dataset", "backbone", "method"]].drop_duplicates()
    crossings = sources.crossovers.dropna(subset="fraction").merge(shown, on=["dataset", "backbone", "method"])

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
            if line["published_f1"].notna().any():
                axes.plot(at, line["published_f1"], **_line(method) | PUBLISHED | {"mec": look.colour, "ms": 4})
        here = crossings[(crossings["dataset"] == key[0]) & (crossings["backbone"] == key[1])]
        for crossing in here.itertuples():
            colour = style(crossing.method).colour
            axes.axvline(crossing.fraction, color=colour, ls=":", lw=1, zorder=0)
            axes.plot(crossing.fraction, crossing.f1_micro, "o", ms=11, mfc="none", mec=colour, mew=1.2)
            axes.plot([crossing.low, crossing.high], 2 * [crossing.f1_micro], "|-", color=colour, lw=1, ms=6)
        axes.set_xscale("log")
        many = len(sizes) > LEVEL_LABELS
        labels = [f"{percent(fraction)}{', ' if many else chr(10)}{size:,.0f}" for fraction, size in sizes.items()]
        axes.set_xticks(list(sizes.index), labels, rotation=90 if many else 0)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("Share and number of training images")
        axes.set_ylabel("Micro-F1 on the test images")

    figure = _panels(cells, draw)
    crossings = crossings.assign(point="crossover")
    return pd.concat([cells.assign(point="mean"), crossings], ignore_index=True), figure


def figure3(sources: Sources) -> tuple[pd.DataFrame, Figure]:
    """Micro-F1 against trainable parameters with all training images; bars are 95 % intervals over test images.

    The larger a marker, the more parameters are trained. Published scores, where there are any, are hollow.
    """
    parameters = sources.runs.groupby(["dataset", "backbone", "method"])["trainable_parameters"].first().reset_index()
    cells = full_data(experiment(sources, "table2", "table3")).merge(parameters, on=["dataset", "backbone", "method"])
    columns = ["dataset", "backbone", "method", "trainable_parameters", "f1_micro", "f1_micro_low", "f1_micro_high"]
    published = pd.concat([sources.published["table2"], sources.published["table3"]])
    cells = _beside_published(cells.reindex(columns=columns), published, columns[:3])
    sizes = np.log(cells["trainable_parameters"])
    cells["marker"] = np.interp(sizes, [sizes.min(), sizes.max() + 1e-9], MARKERS)

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
                **_point(method) | {"ms": point["marker"].iloc[0]},
            )
            if point["published_f1"].notna().any():
                hollow = {"color": look.colour, "mec": look.colour, "ms": point["marker"].iloc[0]}
                axes.plot(point["trainable_parameters"], point["published_f1"], **_point(method) | PUBLISHED | hollow)
        axes.set_xscale("log")
        axes.margins(x=0.12)
        axes.set_xlabel("Trainable parameters, head included")
        axes.set_ylabel("Micro-F1 on the test images")

    return cells, _panels(cells, draw)


def pareto(sources: Sources) -> tuple[pd.DataFrame, Figure]:
    """Micro-F1 against what it costs, with all training images: one row of panels a backbone, means over its datasets.

    The stairs join the methods that no other beats in both score and cost. Costs are medians over runs.
    """
    keys = ["dataset", "backbone", "method"]
    runs = full_data(distinct(sources.runs))
    cells = full_data(experiment(sources, *sources.runs["experiment"].unique()))[[*keys, "f1_micro"]]
    cells = cells.merge(runs.groupby(keys)[list(COSTS)].median().reset_index(), on=keys)
    means = cells.groupby(["backbone", "method"], sort=False).agg(
        datasets=("dataset", "nunique"),
        f1_micro=("f1_micro", lambda scores: scores.mean(skipna=False)),
        **{cost: (cost, "mean") for cost in COSTS},
    )
    points = pd.concat(
        [
            rows.melt(["backbone", "method", "datasets", "f1_micro"], list(COSTS), "cost", "value")
            for _, rows in means.reset_index().groupby("backbone", sort=False)
        ],
        ignore_index=True,
    )
    points["best"] = points.groupby(["backbone", "cost"], group_keys=False)[["f1_micro", "value"]].apply(
        lambda rows: not_dominated(rows["f1_micro"], rows["value"])
    )

    def draw(axes, key, rows):
        title, unit = COSTS[key[1]]
        front = rows[rows["best"]].sort_values("value")
        axes.step(front["value"] / unit, front["f1_micro"], where="post", color="0.6", lw=1.2, zorder=0)
        for method, point in _by_method(rows):
            axes.plot(point["value"] / unit, point["f1_micro"], ls="none", **_line(method))
        axes.plot(front["value"] / unit, front["f1_micro"], "o", ms=12, mfc="none", mec="0.35", mew=1)
        if key[1] == "trainable_parameters":
            axes.set_xscale("log")
        axes.margins(x=0.15, y=0.15)
        axes.set_xlabel(title)
        axes.set_ylabel("Micro-F1")

    return points, _panels(points, draw, by=("backbone", "cost"), title=lambda key: key[0], columns=len(COSTS))


def not_dominated(score: pd.Series, cost: pd.Series) -> pd.Series:
    """Return which rows no other row beats: none is at least as good and cheap, and better or cheaper; nan never is."""
    known = score.notna() & cost.notna()
    beaten = [
        any((score >= score[row]) & (cost <= cost[row]) & ((score > score[row]) | (cost < cost[row])))
        for row in score.index
    ]
    return known & ~np.array(beaten, bool)


def critical_difference(sources: Sources) -> tuple[pd.DataFrame, Figure]:
    """Mean ranks over datasets and backbones; bars join methods whose ranks do not differ (Nemenyi, .05).

    The diagram of Demsar (2006): one panel a kind of encoder and data size that has a test.
    """
    tests = sources.friedman[sources.friedman["status"] == "ok"]
    ranks = sources.ranks.merge(tests[["encoder", "fraction", "methods", "critical_difference"]])

    def draw(axes, key, rows):
        rows = rows.sort_values(["mean_rank", "method"])
        cliques = joined(rows["mean_rank"].to_numpy(), rows["critical_difference"].iloc[0])
        _draw_ranks(axes, rows, cliques)

    def title(key):
        rows = ranks[(ranks["encoder"] == key[0]) & (ranks["fraction"] == key[1])]
        return f"{ENCODERS[key[0]]}, {percent(key[1])}, {rows['blocks'].iloc[0]} blocks"

    figure = _panels(ranks, draw, by=("encoder", "fraction"), title=title, columns=2 if len(tests) > 1 else 1)
    return ranks, figure


def joined(ranks: np.ndarray, difference: float) -> list[tuple[float, float]]:
    """Return the ends of the longest runs of rising `ranks` that lie within `difference`; single ranks are no run."""
    last = np.searchsorted(ranks, ranks + difference, side="right") - 1
    return [
        (ranks[first], ranks[end])
        for first, end in enumerate(last)
        if end > first and (first == 0 or end > last[first - 1])
    ]


def _draw_ranks(axes, rows: pd.DataFrame, cliques: list[tuple[float, float]]) -> None:
    """Draw a method a line at its rank, the best on top, and the bars of `cliques` above the methods."""
    methods, length = rows[["methods", "critical_difference"]].iloc[0]
    middle, end = (1 + methods) / 2, max(methods, 1 + length)
    for place, row in enumerate(rows.itertuples()):
        left = row.mean_rank > middle
        axes.plot([row.mean_rank, row.mean_rank], [place, -len(cliques) - 0.6], color="0.85", lw=0.8, zorder=0)
        axes.plot(row.mean_rank, place, ls="none", **_line(row.method))
        axes.annotate(
            f"{style(row.method).label} {number(row.mean_rank, 2)}",
            (row.mean_rank, place),
            (-7 if left else 7, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=8,
        )
    for place, ends in enumerate(cliques):
        axes.plot(ends, 2 * [-1 - place], color="0.2", lw=2.5, solid_capstyle="round")
    axes.errorbar(1 + length / 2, len(rows), xerr=length / 2, color="0.2", lw=1, capsize=3)
    axes.annotate(
        f"critical difference {number(length, 2)}",
        (1 + length / 2, len(rows)),
        (0, -4),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=8,
    )
    axes.set_xlim(0.8, end + 0.2)
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.set_ylim(len(rows) + 1, -len(cliques) - 0.8)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Mean rank (1 is best)")


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
    "critical_difference": critical_difference,
    "pareto": pareto,
    "tuning": tuning,
}


def save(figure: Figure, pdf: str, png: str) -> None:
    """Write `figure` as PDF and PNG (200 dpi) without dates, so that equal figures give equal bytes."""
    figure.savefig(pdf, format="pdf", metadata=WITHOUT_DATES["pdf"])
    figure.savefig(png, format="png", dpi=200, metadata=WITHOUT_DATES["png"])


def _panels(
    table: pd.DataFrame,
    draw: Callable,
    by: tuple[str, str] = ("dataset", "backbone"),
    title: Callable | None = None,
    columns: int | None = None,
) -> Figure:
    """Return a figure with one panel a group of `by`, drawn by `draw(axes, key, rows)`, and one legend below."""
    groups = list(table.groupby(list(by), sort=False))
    columns = columns or next((count for count, most in MOST_IN.items() if len(groups) <= most), max(PANELS))
    columns = min(columns, len(groups)) or 1
    lines = max(1, -(-len(groups) // columns))
    handles = _handles(table)
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
        axes.set_title(title(key) if title else f"{plain(key[0])}{chr(10) if columns > 2 else ', '}{key[1]}")
        axes.title.set_size(letters)
        axes.tick_params(labelsize=letters)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_size(letters)
    for axes in grid[len(groups) :]:
        axes.set_axis_off()
    figure.legend(handles=handles, loc="outside lower center", ncols=legend_columns, frameon=False, fontsize=9)
    return figure


def _handles(table: pd.DataFrame) -> list[Line2D]:
    """Return the legend's entries: the methods, and published values if `table` has any."""
    handles = [Line2D([], [], **_line(method)) for method in in_order(table["method"])]
    if "published_f1" in table and table["published_f1"].notna().any():
        handles.append(Line2D([], [], color="0.4", marker="o", ms=6, label="Published", **PUBLISHED))
    return handles


def _beside_published(cells: pd.DataFrame, published: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Add the published F1 of the same `keys` to `cells`, as `published_f1`."""
    return cells.merge(published[[*keys, "f1"]].rename(columns={"f1": "published_f1"}), on=keys, how="left")


def _by_method(rows: pd.DataFrame):
    return [(method, rows[rows["method"] == method]) for method in in_order(rows["method"])]


def _line(method: str) -> dict:
    return {"color": style(method).colour, "lw": 2 if method == "full" else 1.4} | _point(method)


def _point(method: str) -> dict:
    look = style(method)
    return {"marker": look.marker, "ms": 7, "mec": "white", "mew": 0.6, "label": look.label}
