"""Fetch the weights of the Inception network."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.networks.inception import fetch_inception

    fetch_inception(Path(snakemake.output[0]), snakemake.config.get("mirror"))


run(main, snakemake)  # noqa: F821
