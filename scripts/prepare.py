"""Decode, resize and list the images of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    from medpeft.base.files import read_table, write_table
    from medpeft.base.losses import told
    from medpeft.data import registry
    from medpeft.data.formats.picture import LARGEST_IMAGE, Reading
    from medpeft.data.prepare import prepare
    from medpeft.data.stored.appearance import alarming, measures

    name = snakemake.wildcards.dataset
    settings, output = snakemake.config, snakemake.output
    fit = snakemake.wildcards.fit.removeprefix("_") or "crop"
    reading = Reading(fit, largest=settings.get("largest_image", LARGEST_IMAGE))  # it changes no image: no parameter
    losses = prepare(
        name,
        registry.load(name, snakemake.params.declared),
        [Path(archive) for archive in snakemake.input.archives],
        snakemake.params.size,
        Path(output.images),
        Path(output.manifest),
        snakemake.threads,
        settings.get("accept", {}).get(name, {}),  # as long as it is enough, it changes no image: no parameter
        reading,
    ).table()
    write_table(output.losses, losses)
    if lost := told(losses):
        tell(f"{name}: {lost}")
    for sentence in alarming(measures(read_table(output.pixels), fit), fit):
        tell(f"{name}: {sentence}")


run(main, snakemake)  # noqa: F821
