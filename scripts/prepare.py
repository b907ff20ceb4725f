"""Decode, resize and list the images of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    from medpeft.base.files import write_table
    from medpeft.base.losses import told
    from medpeft.data import registry
    from medpeft.data.prepare import prepare

    name = snakemake.wildcards.dataset
    losses = prepare(
        name,
        registry.load(name, snakemake.params.declared),
        [Path(archive) for archive in snakemake.input.archives],
        snakemake.params.size,
        Path(snakemake.output.images),
        Path(snakemake.output.manifest),
        snakemake.threads,
        snakemake.params.accepted,
    ).table()
    write_table(snakemake.output.losses, losses)
    if lost := told(losses):
        tell(f"{name}: {lost}")


run(main, snakemake)  # noqa: F821
