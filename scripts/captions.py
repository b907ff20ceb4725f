"""List the captions of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import write_table
    from medpeft.data import registry
    from medpeft.data.captions import captions

    dataset = registry.load(snakemake.wildcards.dataset, snakemake.params.declared)
    write_table(snakemake.output[0], captions(dataset, [Path(archive) for archive in snakemake.input.archives]))


run(main, snakemake)  # noqa: F821
