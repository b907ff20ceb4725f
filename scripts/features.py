"""Compute the features of all real images of one dataset, once for all runs on it."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import replacing
    from medpeft.data.pixels import centre
    from medpeft.generation.features import BATCH, features

    data, settings = snakemake.input, snakemake.params
    stored = np.load(data.images, mmap_mode="r")
    batches = (centre(stored[start : start + BATCH], settings.size) for start in range(0, len(stored), BATCH))
    found = features(batches, settings.extractor, Path(data.extractor), settings.threads, settings.device)
    with replacing(snakemake.output[0]) as temporary, open(temporary, "wb") as stream:
        np.save(stream, found)


run(main, snakemake)  # noqa: F821
