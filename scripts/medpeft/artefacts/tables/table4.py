"""FID of the images of every method against the share of the training pairs, beside the published values."""

import numpy as np
import pandas as pd

from medpeft.artefacts.cells import failure_notes
from medpeft.artefacts.fid_notes import fid_warnings, floor_notes
from medpeft.artefacts.markup import GAP, Cell, Layout, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import percent, plain
from medpeft.base.frames import each_group
from medpeft.base.runs import CELL
from medpeft.statistics.generation_scores import generation_scores

CAPTION = (
    "FID of the images that each method generates, by share of the training pairs; N is the number of generated and "
    "of real images, the floor the FID of two halves of the real ones: {images}{published}."
)
TABLE = Table(CAPTION, "generation", 1, ("runs",), published=("table4",), experiments=("table4",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """FID of the images of every method against the share of the training pairs, beside the published values.

    `difference` is ours less the published one where dataset, pipeline and extractor are those of the published study.
    """
    cells = _with_published_fid(generation_scores(sources.runs), sources.published["table4"])
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
    notes = ["FID, mean ± standard deviation over seeds; below it KID, precision (P) and recall (R)."]
    notes += floor_notes(cells) + fid_warnings(cells)
    if cells["published_fid"].notna().any():
        notes.append(
            "Published: FID of Stable Diffusion on MIMIC-CXR, 1,000 test images (Dutt et al. 2024, table 4). It tells "
            "the order of the methods; its size compares with ours where dataset, pipeline, extractor and N agree."
        )
    return cells, Layout(header, groups, [*notes, *failure_notes(cells)])


def _with_published_fid(cells: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Add the published FID of the same method and fraction, and the difference of ours where all else is the same."""
    keys = ["method", "fraction"]
    beside = published[[*keys, "fid"]].rename(columns={"fid": "published_fid"})
    cells = cells.merge(beside, on=keys, how="left")
    same = cells[CELL].merge(published[CELL], on=CELL, how="left", indicator=True)["_merge"] == "both"
    same &= cells["feature_extractor"] == "inception"
    return cells.assign(difference=(cells["fid"] - cells["published_fid"]).where(same))


def _fid_cell(by_cell: pd.DataFrame, key: tuple, best: pd.Series) -> Cell:
    if key not in by_cell.index:
        return Cell(GAP)
    row = by_cell.loc[key]
    published = "" if np.isnan(row["published_fid"]) else f"published {number(row['published_fid'], 2)}"
    if not np.isnan(row["difference"]):
        published += f" ({number(row['difference'], 2, sign=True)})"
    if np.isnan(row["fid"]):
        return Cell(GAP, published)
    spread = "" if np.isnan(row["fid_std"]) else f" ± {number(row['fid_std'], 2)}"
    lines = [
        f"KID {number(row['kid'], 4)}",
        f"P {number(row['precision'], 2)}, R {number(row['recall'], 2)}",
        published,
    ]
    text = number(row["fid"], 2) + spread + ("†" if row["n_failed"] else "")
    return Cell(text, "\n".join(filter(None, lines)), bold=row["fid"] == best[key[1]])
