"""Describe the real images that those generated for one dataset are compared with."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import read_table, replacing, write_json, write_table
    from medpeft.generation.features import Extractor
    from medpeft.generation.reference import reference

    data, output, settings = snakemake.input, snakemake.output, snakemake.params
    extractor = Extractor(settings.extractor, Path(data.extractor), settings.threads, settings.device)
    manifest, split = read_table(data.manifest), read_table(data.split)
    found = reference(data.images, manifest, split, settings.images, settings.size, extractor)
    with replacing(output.features) as temporary, open(temporary, "wb") as stream:
        np.save(stream, found.features)
    write_table(output.compared, found.compared)
    write_json(output.floor, found.floor)


run(main, snakemake)  # noqa: F821
