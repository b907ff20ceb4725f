"""FID of the images of every method against the share of the training pairs, beside the published values."""

import numpy as np
import pandas as pd

from medpeft.artefacts.cells import failure_notes
from medpeft.artefacts.markup import GAP, Cell, Layout, interval, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.parts.fid_notes import (
    ALONE,
    FID_DIGITS,
    KID_DIGITS,
    fid_warnings,
    floor_notes,
    published_notes,
    with_published_fid,
)
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import percent, plain
from medpeft.base.frames import each_group
from medpeft.base.runs import CELL
from medpeft.statistics.generated.generation_scores import generation_scores

CAPTION = (
    "FID of the images that each method generates, by share of the training pairs; N is the number of generated and "
    "of real images, the floor the FID of as many other real ones: {images}{published}."
)
TABLE = Table(
    CAPTION,
    "generation",
    1,
    ("runs", "generation_intervals"),
    published=("table4",),
    experiments=("table4",),
)
SHOWN_INTERVALS = ("fid", "kid")


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """FID of the images of every method against the share of the training pairs, beside the published values.

    `published_fid` and `difference`, ours less the published one, are given where dataset, pipeline, extractor, number
    of images and number of training pairs are those of the published study.
    """
    published = sources.published["table4"]
    cells = with_published_fid(
        _with_intervals(generation_scores(sources.runs), sources.generation_intervals), published
    )
    fractions = sorted(cells["fraction"].unique(), reverse=True)
    groups = {}
    for (dataset, backbone), rows in each_group(cells, ["dataset", "backbone"]):
        sizes = rows.groupby("fraction")["n_train"].max()
        pairs = ", ".join(f"{sizes.get(fraction, 0):,.0f}" for fraction in fractions)
        best = rows.groupby("fraction")["fid"].min()
        by_cell = rows.set_index(["method", "fraction"])
        groups[f"{plain(dataset)}, {backbone}; training pairs: {pairs}"] = [
            [Cell(style(method).label), *(_fid_cell(by_cell, (method, fraction), best) for fraction in fractions)]
            for method in in_order(rows["method"])
        ]
    header = ["Method", *(percent(fraction) for fraction in fractions)]
    notes = [_reading(cells), *floor_notes(cells), *fid_warnings(cells), *published_notes(cells, published)]
    return cells, Layout(header, groups, [*notes, *failure_notes(cells)])


def _with_intervals(cells: pd.DataFrame, intervals: pd.DataFrame) -> pd.DataFrame:
    """Add the bounds of the interval of FID and of KID, and how many seeds it is of, `interval_seeds`."""
    for metric in SHOWN_INTERVALS:
        ends = {"low": f"{metric}_low", "high": f"{metric}_high", "seeds": "interval_seeds"}
        of_metric = intervals.loc[intervals["metric"] == metric, [*CELL, *ends]].rename(columns=ends)
        cells = cells.merge(of_metric, on=[*CELL, *cells.columns.intersection(["interval_seeds"])], how="left")
    return cells


def _reading(cells: pd.DataFrame) -> str:
    covered = f"Of a single seed, it covers {ALONE}." if (cells["interval_seeds"] == 1).any() else ""
    return (
        "FID, mean ± standard deviation over seeds; below it KID, precision (P) and recall (R). In brackets the 95 % "
        f"interval, over seeds and images (a jackknife that leaves out groups of prompts). {covered}"
    ).rstrip()


def _fid_cell(by_cell: pd.DataFrame, key: tuple, best: pd.Series) -> Cell:
    if key not in by_cell.index:
        return Cell(GAP)
    row = by_cell.loc[key]
    published = "" if np.isnan(row["published_fid"]) else f"published {number(row['published_fid'], FID_DIGITS)}"
    if not np.isnan(row["difference"]):
        published += f" ({number(row['difference'], FID_DIGITS, sign=True)})"
    if np.isnan(row["fid"]):
        return Cell(GAP, published)
    spread = "" if np.isnan(row["fid_std"]) else f" ± {number(row['fid_std'], FID_DIGITS)}"
    of_kid = interval(row["kid_low"], row["kid_high"], digits=KID_DIGITS)
    lines = [
        interval(row["fid_low"], row["fid_high"], digits=FID_DIGITS),
        f"KID {number(row['kid'], KID_DIGITS)} {of_kid}".rstrip(),
        f"P {number(row['precision'], 2)}, R {number(row['recall'], 2)}",
        published,
    ]
    text = number(row["fid"], FID_DIGITS) + spread + ("†" if row["n_failed"] else "")
    return Cell(text, "\n".join(filter(None, lines)), bold=row["fid"] == best[key[1]])
