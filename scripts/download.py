"""Fetch one archive of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.data import registry
    from medpeft.data.download import fetch

    name, params = snakemake.wildcards.dataset, snakemake.params
    dataset = registry.load(name, params.declared)
    fetch(
        dataset.archive(snakemake.wildcards.archive, params.checksum),
        name,
        Path(snakemake.output[0]),
        # Not from params: where a file came from makes no fetched file stale.
        snakemake.config.get("mirror"),
        dataset.access,
        next(map(Path, snakemake.input.listing), None),
    )


run(main, snakemake)  # noqa: F821
