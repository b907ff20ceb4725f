"""The cells of a study that an artefact shows."""

from typing import Any

import pandas as pd

from medpeft.artefacts.sources import Sources
from medpeft.base.errors import UserError
from medpeft.base.runs import CELL
from medpeft.statistics.significance import OUTCOMES

NOT_PEFT = ("full", "linear_probe")


def experiment(sources: Sources, *names: str) -> pd.DataFrame:
    """Return the scores of the cells of some experiments, one row a cell, with columns `<metric>` and `<metric>_std`.

    `<metric>_low` and `<metric>_high` bound the interval of a metric that has one. There is always a column of the
    primary metric. Raises `UserError` where the study has none of these experiments.
    """
    runs = sources.runs[sources.runs["experiment"].isin(names)]
    if runs.empty:
        raise UserError(
            f"the study has no experiment {' or '.join(map(repr, names))}: add it under experiments or leave this "
            "artefact out"
        )
    wide = sources.scores.pivot(index=CELL, columns="metric", values=["mean", "std", "low", "high"])
    columns: Any = wide.columns.to_list()  # pairs of a value and a metric
    wide.columns = pd.Index([metric if value == "mean" else f"{metric}_{value}" for value, metric in columns])
    shown = wide[sorted(wide.columns)].dropna(axis="columns", how="all")
    shown = shown.reindex(columns=[*shown, *{sources.primary} - {*shown}])  # a gap where every run failed
    counts = sources.scores.drop_duplicates(CELL)[[*CELL, "family", "n_train", "n_runs", "n_failed"]]
    return runs[CELL].drop_duplicates().merge(counts, on=CELL).merge(shown.reset_index(), on=CELL)


def full_data(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `cells` with the largest training fraction."""
    return cells[cells["fraction"] == cells["fraction"].max()]


def outcomes(case: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the methods of one case by what is decided of them beside full fine-tuning."""
    return {outcome: case.loc[case["outcome"] == outcome, "method"] for outcome in OUTCOMES}
