"""Compute the features of all real images of one dataset, once for all runs on it."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import replacing
    from medpeft.generation.features import Extractor, real_features

    data, settings = snakemake.input, snakemake.params
    extractor = Extractor(settings.extractor, Path(data.extractor), settings.threads, settings.device)
    found = real_features(data.images, settings.size, extractor)
    with replacing(snakemake.output[0]) as temporary, open(temporary, "wb") as stream:
        np.save(stream, found)


run(main, snakemake)  # noqa: F821
