"""What a study will be able to show, as the terminal tells it."""

from typing import Any

import numpy as np
import pandas as pd

from medpeft.artefacts.card import counted
from medpeft.artefacts.tables.comparisons import settling
from medpeft.artefacts.words import percent, plain, points
from medpeft.base.frames import each_row


def plans(table: pd.DataFrame, margin: float) -> list[str]:
    """Return one sentence a row of `power.csv`."""
    if table.empty:
        return ["no method stands beside full fine-tuning: there is nothing to compare"]
    return [_plan(row, margin) for row in each_row(table)]


def _plan(row: Any, margin: float) -> str:
    where = f"{plain(row.dataset)}, {row.backbone}, {percent(row.fraction)}"
    with_what = f"{counted(row.seeds, 'seed')} and {counted(row.test_images, 'independent test image')}"
    if np.isnan(row.detectable):
        return f"{where}: {with_what} test nothing, for one seed does not show how trainings differ"
    text = f"{where}: {with_what} can show a difference of {points(row.detectable)} or more"
    if row.detectable <= margin:
        return f"{text}, below the margin of {points(margin)}"
    return f"{text}; one of {points(margin)}, the margin, takes {settling(row._asdict(), 'seed')}"
