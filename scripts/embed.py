"""Compute the features of a dataset's images in one backbone."""

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import replacing
    from medpeft.training.embed import embed

    data, settings = snakemake.input, snakemake.params
    features = embed(
        np.load(data.images, mmap_mode="r"),
        snakemake.wildcards.backbone,
        data.weights,
        settings.image_size,
        settings.threads,
        settings.device,
    )
    with replacing(snakemake.output[0]) as temporary, open(temporary, "wb") as stream:
        np.save(stream, features)


run(main, snakemake)  # noqa: F821
