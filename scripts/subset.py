"""Order the training images of one dataset for one seed, so that fractions of them are nested."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, write_table
    from medpeft.data.subset import subset

    manifest, split = (read_table(path) for path in (snakemake.input.manifest, snakemake.input.split))
    write_table(snakemake.output[0], subset(manifest, split, int(snakemake.wildcards.seed)))


run(main, snakemake)  # noqa: F821
