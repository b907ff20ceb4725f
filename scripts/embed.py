"""Compute the features of a dataset's images in one backbone."""

from dataclasses import replace

from medpeft.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.embed import embed
    from medpeft.files import replacing
    from medpeft.training import Recipe

    images = np.load(snakemake.input.images, mmap_mode="r")
    recipe = replace(Recipe(**snakemake.params.recipe), precision="fp32")
    features = embed(images, snakemake.wildcards.backbone, snakemake.input.weights, recipe)
    with replacing(snakemake.output[0]) as temporary, open(temporary, "wb") as stream:
        np.save(stream, features)


run(main, snakemake)  # noqa: F821
