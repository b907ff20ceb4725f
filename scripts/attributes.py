"""List what is told of the images of one dataset beside their labels."""

from pathlib import Path

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    from medpeft.base.files import write_table
    from medpeft.data import registry
    from medpeft.data.attributes import attributes, unknowns

    name = snakemake.wildcards.dataset
    dataset = registry.load(name, snakemake.params.declared)
    table = attributes(dataset, [Path(archive) for archive in snakemake.input.archives])
    write_table(snakemake.output[0], table)
    for sentence in unknowns(table):
        tell(f"{name}: {sentence}")


run(main, snakemake)  # noqa: F821
