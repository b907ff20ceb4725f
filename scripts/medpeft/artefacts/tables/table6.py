"""Parameters of every method on every backbone; the head's are those of the study's first dataset."""

import pandas as pd

from medpeft.artefacts.markup import GAP, Cell, Layout
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.base.frames import each_group, row_at

CAPTION = "Parameters."
TABLE = Table(CAPTION, "costs", 1, ("parameters",), published=("table6",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """Parameters of every method on every backbone; the head's are those of the study's first dataset."""
    table = sources.parameters
    published = sources.published["table6"].set_index(["backbone", "method"])["printed"]
    groups = {}
    for backbone, group in each_group(table, "backbone"):
        by_method = group.set_index("method")
        groups[backbone] = [
            _parameters_line(method, row_at(by_method, method), published.get((backbone, method), GAP))
            for method in in_order(group["method"])
        ]
    header = ["Method", "Trainable", "of it, head", "Total", "Trainable share", "Published"]
    notes = [
        "All counts include the head for the study's first dataset. Published: Dutt et al. 2024, table 6, where "
        "AdaptFormer has a tenth of what a bottleneck of 64 takes, which their figure 3 agrees with."
    ]
    if "stable_diffusion_v1_5" in groups:
        notes.append(
            "Of Stable Diffusion the whole U-Net and its attention are printed with a tenth of the parameters that "
            "they have. A U-Net has no head."
        )
    return table, Layout(header, groups, notes)


def _parameters_line(method: str, row: pd.Series, published: str) -> list[Cell]:
    share = row["trainable_parameters"] / row["total_parameters"]
    counts = (row["trainable_parameters"], row["head_parameters"], row["total_parameters"])
    return [
        Cell(style(method).label),
        *(Cell(f"{count:,}") for count in counts),
        Cell(f"{100 * share:.3g} %"),
        Cell(published.replace("-", GAP)),
    ]
