"""Train a classifier on the images that one run generated, and test it on real ones."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import read_json, read_table, write_table
    from medpeft.data.subset import members
    from medpeft.generation.downstream_classifier import classify, generated_set, real_sets
    from medpeft.generation.features import Extractor

    data, settings = snakemake.input, snakemake.params
    fraction = float(snakemake.wildcards.fraction)
    rows = members(data.manifest, data.split, data.subset, fraction, settings.training_pairs)
    real, test = real_sets(rows, np.load(data.features, mmap_mode="r"))
    generated = None
    if read_json(data.record)["status"] == "ok":
        extractor = Extractor(settings.extractor, Path(data.extractor), settings.threads, settings.device)
        generated = generated_set(Path(data.generated), read_table(data.files), extractor)
    write_table(snakemake.output[0], classify(real, generated, test))


run(main, snakemake)  # noqa: F821
