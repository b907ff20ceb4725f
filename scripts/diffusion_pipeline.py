"""Fetch one text-to-image pipeline."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.networks.diffusion_pipeline import fetch_diffusion_pipeline

    fetch_diffusion_pipeline(
        snakemake.wildcards.backbone,
        snakemake.params.repository,
        Path(snakemake.output[0]),
        snakemake.config.get("mirror"),
    )


run(main, snakemake)  # noqa: F821
