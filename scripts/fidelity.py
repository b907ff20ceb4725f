"""Score the images that one run generated against real ones."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json, read_table, write_json
    from medpeft.generation.features import Extractor
    from medpeft.generation.fidelity import fidelity, real_images

    data, settings = snakemake.input, snakemake.params
    extractor = Extractor(settings.extractor, Path(data.extractor), settings.threads, settings.device)
    manifest, split = read_table(data.manifest), read_table(data.split)
    real = real_images(data.images, manifest, split, settings.images, settings.size)
    metrics = fidelity(Path(data.generated), real, read_json(data.record), extractor, Path(data.cache))
    write_json(snakemake.output.metrics, metrics | read_json(data.floor))


run(main, snakemake)  # noqa: F821
