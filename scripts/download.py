"""Fetch one archive of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.data import registry
    from medpeft.data.download import fetch

    name = snakemake.wildcards.dataset
    dataset = registry.load(name, snakemake.params.declared)
    archive = {part.name: part for part in dataset.archives}[snakemake.wildcards.archive]
    # The mirror is read from the configuration, not from params: where a file came from makes no fetched file stale.
    mirror = snakemake.config.get("mirror")
    listing = Path(snakemake.input.listing[0]) if snakemake.input.listing else None
    fetch(archive, name, Path(snakemake.output[0]), mirror, snakemake.params.checksum, dataset.access, listing)


run(main, snakemake)  # noqa: F821
