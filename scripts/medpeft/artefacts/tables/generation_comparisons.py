"""How the images of each method differ from those of full fine-tuning and of the diffusion pipeline untuned."""

from typing import Any

import numpy as np
import pandas as pd

from medpeft.artefacts.markup import GAP, Cell, Layout, interval, number, p_value
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.parts.fid_notes import ALONE, FID_DIGITS, KID_DIGITS
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import case_title
from medpeft.base.frames import each_group, row_at
from medpeft.statistics.generated.compare_generated import JUDGED_BY, KEYS, verdicts

CAPTION = "Differences in FID and KID from full fine-tuning, and from the diffusion pipeline untuned: {images}."
TABLE = Table(CAPTION, "generation", 3, ("generation_comparisons",), requires=("generation",))
DIGITS = {"fid": FID_DIGITS, "kid": KID_DIGITS}
WORDS = {"better": "better", "worse": "worse", "undecided": "cannot be told", "untested": "not tested"}


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """How the images of each method differ from those of full fine-tuning and of the diffusion pipeline untuned.

    Negative differences are improvements. `verdict` is better or worse where FID and KID both differ in this direction
    with an adjusted p below .05, undecided otherwise, and untested with a single seed, which tells nothing of another
    training.
    """
    columns = [*KEYS, "reference", "method"]
    judged = verdicts(sources.generation_comparisons)
    table = sources.generation_comparisons.merge(judged[[*columns, "verdict"]], on=columns, how="left")
    groups = {}
    for (*case, reference), rows in each_group(table, [*KEYS, "reference"]):
        dataset, backbone, fraction = case
        title = f"{case_title(dataset, backbone, fraction)}, against {style(reference).label}"
        by_metric = rows.set_index(["method", "metric"])
        groups[title] = [_line(method, by_metric) for method in in_order(rows["method"].unique())]
    header = ["Method"]
    for metric in JUDGED_BY:
        header += [f"Difference in {metric.upper()}", "Adjusted p"]
    return table, Layout([*header, "Verdict"], groups, _notes(table))


def _line(method: str, by_metric: pd.DataFrame) -> list[Cell]:
    cells = [Cell(style(method).label)]
    for metric in JUDGED_BY:
        row: Any = row_at(by_metric, (method, metric))
        ends = interval(row["low"], row["high"], sign=True, digits=DIGITS[metric])
        cells += [Cell(number(row["difference"], DIGITS[metric], sign=True), ends), Cell(p_value(row["p_adjusted"]))]
    return [*cells, Cell(WORDS[row_at(by_metric, (method, JUDGED_BY[0]))["verdict"]])]


def _notes(table: pd.DataFrame) -> list[str]:
    notes = [
        "Below zero is better. In brackets the 95 % interval over seeds and images, paired: the same prompts, real "
        "images and seeds on both sides. Better or worse: FID and KID both differ in this direction with an adjusted p "
        "below .05 (Holm, over the methods of a group)."
    ]
    if np.any(table["seeds"] == 1):
        notes.append(f"{GAP}: with a single seed the interval covers {ALONE}, and nothing is tested.")
    return notes
