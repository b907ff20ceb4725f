"""Draw one figure and write the numbers behind it."""

from pathlib import Path

import pandas as pd

from medpeft.figure import FIGURES, Sources, save
from medpeft.files import read_json, read_table, replacing, write_table
from medpeft.stage import run


def main(snakemake):
    given = snakemake.input
    sources = Sources(
        runs=read_table(given.runs),
        scores=read_table(given.scores),
        crossovers=read_table(given.crossovers),
        ranks=read_table(given.ranks),
        friedman=read_table(given.friedman),
        trials=pd.concat(map(trials_of, given.trials, given.choices), ignore_index=True),
        published={Path(path).stem: read_table(path) for path in given.published},
    )
    numbers, figure = FIGURES[snakemake.wildcards.figure](sources)
    write_table(snakemake.output.csv, numbers)
    with replacing(snakemake.output.pdf) as pdf, replacing(snakemake.output.png) as png:
        save(figure, pdf, png)


def trials_of(trials: str, choice: str) -> pd.DataFrame:
    """Return the trials of one search with its dataset, backbone and method, and which one was chosen."""
    dataset, backbone, method = Path(trials).parts[-4:-1]
    table = read_table(trials)
    chosen = table["learning_rate"] == read_json(choice)["learning_rate"]
    return table.assign(dataset=dataset, backbone=backbone, method=method, chosen=chosen)


run(main, snakemake)  # noqa: F821
