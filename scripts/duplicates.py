"""List the duplicate images of one dataset."""

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    import numpy as np

    from medpeft.base.files import read_table, write_table
    from medpeft.data.duplicates import doubts, find

    manifest = read_table(snakemake.input.manifest)
    pairs = find(np.load(snakemake.input.images, mmap_mode="r"), manifest)
    write_table(snakemake.output[0], pairs)
    for sentence in doubts(manifest, pairs):
        tell(f"{snakemake.wildcards.dataset}: {sentence}; see {snakemake.output[0]}")


run(main, snakemake)  # noqa: F821
