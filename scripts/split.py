"""Split the images of one dataset into training, validation and test."""

from medpeft.datasets import registry
from medpeft.files import read_table, write_table
from medpeft.split import split
from medpeft.stage import run


def main(snakemake):
    settings = dict(snakemake.params.items())
    sizes = registry.load(snakemake.wildcards.dataset, settings.pop("own")).sizes
    tables = (read_table(path) for path in (snakemake.input.manifest, snakemake.input.duplicates))
    write_table(snakemake.output[0], split(*tables, sizes=sizes, **settings))


run(main, snakemake)  # noqa: F821
