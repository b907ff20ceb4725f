"""Decode, resize and list the images of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.data import registry
    from medpeft.data.prepare import prepare

    name = snakemake.wildcards.dataset
    prepare(
        name,
        registry.load(name, snakemake.params.declared),
        [Path(archive) for archive in snakemake.input.archives],
        snakemake.params.size,
        Path(snakemake.output.images),
        Path(snakemake.output.manifest),
        snakemake.threads,
    )


run(main, snakemake)  # noqa: F821
