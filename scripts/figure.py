"""Draw one figure and write the numbers behind it."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import pandas as pd

    from medpeft.artefacts.figure import FIGURES, Sources, save
    from medpeft.base.files import read_json, read_table, replacing, write_table

    given = snakemake.input
    trials = []
    for search, choice in zip(map(Path, given.trials), given.choices, strict=True):
        dataset, backbone, method = search.parts[-4:-1]
        table = read_table(search)
        chosen = table["learning_rate"] == read_json(choice)["learning_rate"]
        trials.append(table.assign(dataset=dataset, backbone=backbone, method=method, chosen=chosen))
    sources = Sources(
        runs=read_table(given.runs),
        scores=read_table(given.scores),
        crossovers=read_table(given.crossovers),
        ranks=read_table(given.ranks),
        friedman=read_table(given.friedman),
        trials=pd.concat(trials, ignore_index=True),
        published={Path(path).stem: read_table(path) for path in given.published},
    )
    numbers, figure = FIGURES[snakemake.wildcards.figure](sources)
    write_table(snakemake.output.csv, numbers)
    with replacing(snakemake.output.pdf) as pdf, replacing(snakemake.output.png) as png:
        save(figure, pdf, png)


run(main, snakemake)  # noqa: F821
