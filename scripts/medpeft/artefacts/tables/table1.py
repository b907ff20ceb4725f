"""The methods of the study, as their modules describe them."""

import pandas as pd

from medpeft.artefacts.markup import GAP, Cell, Layout
from medpeft.artefacts.palette import in_order
from medpeft.artefacts.registry import Table
from medpeft.artefacts.sources import Sources
from medpeft.base.frames import each_row

CAPTION = "The methods."
TABLE = Table(CAPTION, "methods", 1, ("records",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """The methods of the study, as their modules describe them."""
    entries = {search.method: record["method"] for search, record in sources.records.items()}
    rows = [
        {"method": method, **entries[method], "encoders": " ".join(entries[method].get("encoders", []))}
        for method in in_order(entries)
    ]
    table = pd.DataFrame(rows).reindex(columns=["method", "title", "family", "encoders", "source", "trains"])
    lines = [
        [
            Cell(text or GAP)
            for text in (
                row.title,
                row.family,
                row.encoders.upper().replace("VIT", "ViT").replace("UNET", "U-Net").replace(" ", ", "),
                row.source,
            )
        ]
        + [Cell(row.trains if isinstance(row.trains, str) else GAP)]
        for row in each_row(table)
    ]
    header = ["Method", "Type", "Encoders", "Source", "Trains, besides the head"]
    note = "Selective methods train a subset of the network's parameters, additive ones new parameters."
    return table, Layout(header, {"": lines}, [note], left=len(header))
