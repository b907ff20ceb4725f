"""Describe the real images that those generated for one dataset are compared with."""

import shutil
from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, write_json
    from medpeft.generation.features import Extractor
    from medpeft.generation.fidelity import real_images
    from medpeft.generation.reference import reference

    data, output, settings = snakemake.input, snakemake.output, snakemake.params
    shutil.rmtree(output.cache, ignore_errors=True)
    extractor = Extractor(settings.extractor, Path(data.extractor), settings.threads, settings.device)
    manifest, split = read_table(data.manifest), read_table(data.split)
    real = real_images(data.images, manifest, split, settings.images, settings.size)
    write_json(output.floor, reference(real, extractor, Path(output.cache)))


run(main, snakemake)  # noqa: F821
