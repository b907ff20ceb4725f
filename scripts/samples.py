"""Draw the grid of samples of the study's diffusion pipelines and write which files it shows."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.artefacts.panels import save
    from medpeft.artefacts.samples import Generated, Stored, grouped, samples
    from medpeft.artefacts.words import titled
    from medpeft.base.files import read_table, replacing, write_table
    from medpeft.base.runs import Run

    given, output, settings = snakemake.input, snakemake.output, snakemake.params
    stored = {
        dataset: Stored(np.load(images, mmap_mode="r"), read_table(manifest))
        for dataset, images, manifest in zip(settings.datasets, given.images, given.manifests, strict=True)
    }
    runs = [
        (Run(*shown), Generated(read_table(table), Path(folder)))
        for shown, table, folder in zip(settings.runs, given.tables, given.folders, strict=True)
    ]
    with titled(settings.titles):
        numbers, figure = samples(grouped(runs, stored), settings.size)
    write_table(output.csv, numbers)
    with replacing(output.pdf) as pdf, replacing(output.png) as png:
        save(figure, pdf, png)


run(main, snakemake)  # noqa: F821
