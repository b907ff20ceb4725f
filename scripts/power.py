"""Tell what the study's seeds and test images can show, before it runs."""

from pathlib import Path

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    from medpeft.artefacts.sentences.plan import plans
    from medpeft.base.files import read_table, write_table
    from medpeft.base.runs import Run
    from medpeft.statistics.power import Assumed, power

    given, asked = snakemake.input, snakemake.params
    splits = dict(zip(asked.datasets, map(read_table, given.splits), strict=True))
    images = {name: table.loc[table["split"] == "test", "cluster"].nunique() for name, table in splits.items()}
    table = power(map(Run.named, asked.runs), images, Assumed(**asked.assumed), asked.margin)
    write_table(snakemake.output.power, table)
    for sentence in plans(table, asked.margin):
        tell(sentence)
    tell(f"all of it is in {Path(snakemake.output.power)}; what is assumed is the study's key power")


run(main, snakemake)  # noqa: F821
