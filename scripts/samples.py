"""Draw the grid of samples of the study's pipelines and write which files it shows."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.artefacts.panels import save
    from medpeft.artefacts.samples import Samples, samples
    from medpeft.base.files import read_table, replacing, write_table

    given, output = snakemake.input, snakemake.output
    stored = {
        dataset: (np.load(images, mmap_mode="r"), read_table(manifest))
        for dataset, images, manifest in zip(snakemake.params.datasets, given.images, given.manifests, strict=True)
    }
    groups = {}
    for shown, table, folder in zip(snakemake.params.runs, given.tables, given.folders, strict=True):
        dataset, backbone, method, fraction, seed = shown
        groups.setdefault((dataset, backbone, fraction, seed), {})[method] = (read_table(table), Path(folder))
    numbers, figure = samples(
        [
            Samples(dataset, backbone, float(fraction), int(seed), *stored[dataset], generated)
            for (dataset, backbone, fraction, seed), generated in groups.items()
        ],
        snakemake.params.size,
    )
    write_table(output.csv, numbers)
    with replacing(output.pdf) as pdf, replacing(output.png) as png:
        save(figure, pdf, png)


run(main, snakemake)  # noqa: F821
