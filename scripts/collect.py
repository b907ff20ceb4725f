"""Gather all runs of the study in one table."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json, write_table
    from medpeft.statistics.collect import collect

    metrics, records, memorisations = (
        {"/".join(Path(path).parts[-6:-1]): read_json(path) for path in paths}
        for paths in (snakemake.input.metrics, snakemake.input.records, snakemake.input.memorisations)
    )
    for name, found in memorisations.items():
        metrics[name]["memorised"] = found["memorised"]
    write_table(snakemake.output.runs, collect(snakemake.params.experiments, metrics, records))


run(main, snakemake)  # noqa: F821
