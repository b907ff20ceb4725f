"""Gather all runs of the study in one table."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import write_table
    from medpeft.statistics.collect import collect_runs, read_runs

    given = snakemake.input
    metrics, records, memorisations = map(read_runs, (given.metrics, given.records, given.memorisations))
    write_table(snakemake.output.runs, collect_runs(snakemake.params.experiments, metrics, records, memorisations))


run(main, snakemake)  # noqa: F821
