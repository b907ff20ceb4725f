"""Describe the real images that those generated for one dataset are compared with."""

import shutil
from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, write_json
    from medpeft.generation.fidelity import real_images
    from medpeft.generation.reference import reference
    from medpeft.training.captioned import chosen

    data, output, settings = snakemake.input, snakemake.output, snakemake.params
    shutil.rmtree(output.cache, ignore_errors=True)
    manifest, split = read_table(data.manifest), read_table(data.split)
    test = manifest.merge(split[split["split"] == "test"], on="image_id")
    real = real_images(data.images, manifest, chosen(test, settings.images), settings.size)
    floor = reference(
        real, settings.extractor, Path(data.extractor), Path(output.cache), settings.threads, settings.device
    )
    write_json(output.floor, floor)


run(main, snakemake)  # noqa: F821
