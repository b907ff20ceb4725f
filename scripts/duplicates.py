"""List the duplicate images of one dataset."""

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import read_table, write_table
    from medpeft.data.duplicates import find

    images = np.load(snakemake.input.images, mmap_mode="r")
    write_table(snakemake.output[0], find(images, read_table(snakemake.input.manifest)))


run(main, snakemake)  # noqa: F821
