"""Make one table, as numbers and for readers."""

from pathlib import Path

from medpeft.files import read_json, read_table, replacing, write_table
from medpeft.markup import RENDERERS
from medpeft.stage import run
from medpeft.table import TABLES, Material


def main(snakemake):
    given = snakemake.input
    material = Material(
        runs=read_table(given.runs),
        scores=read_table(given.scores),
        comparisons=read_table(given.comparisons),
        ranks=read_table(given.ranks),
        friedman=read_table(given.friedman),
        recommendations=read_table(given.recommendations),
        records=dict(reversed([(Path(path).parts[-6:-3], read_json(path)) for path in given.records])),
        trials={Path(path).parts[-4:-1]: read_table(path) for path in given.trials},
        choices={Path(path).parts[-4:-1]: read_json(path) for path in given.choices},
        published={Path(path).stem: read_table(path) for path in given.published},
    )
    numbers, layout = TABLES[snakemake.wildcards.table](material)
    write_table(snakemake.output.csv, numbers)
    for form, render in RENDERERS.items():
        with replacing(snakemake.output[form]) as temporary:
            temporary.write_text(render(layout), encoding="utf-8")


run(main, snakemake)  # noqa: F821
