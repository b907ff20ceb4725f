"""Count the parameters of every strategy on every backbone of the study."""

from medpeft.count import count
from medpeft.datasets import registry
from medpeft.files import write_table
from medpeft.stage import run


def main(snakemake):
    classes = len(registry.load(snakemake.params.dataset, snakemake.params.own).counts)
    write_table(snakemake.output.parameters, count(snakemake.params.pairs, classes, snakemake.params.image_size))


run(main, snakemake)  # noqa: F821
