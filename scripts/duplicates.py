"""List the duplicate images of one dataset."""

import logging

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import read_table, write_table
    from medpeft.data.duplicates import find

    pairs = find(np.load(snakemake.input.images, mmap_mode="r"), read_table(snakemake.input.manifest))
    write_table(snakemake.output[0], pairs)
    logging.info("%d exact and %d near pairs", (pairs["kind"] == "exact").sum(), (pairs["kind"] == "near").sum())


run(main, snakemake)  # noqa: F821
