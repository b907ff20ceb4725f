"""Rank the methods over datasets, test the ranks, and choose."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, write_table
    from medpeft.statistics.rank import rank
    from medpeft.statistics.recommend import recommend

    given, output = snakemake.input, snakemake.output
    ranks, tests = rank(read_table(given.scores), snakemake.params.primary)
    write_table(output.ranks, ranks)
    write_table(output.friedman, tests)
    write_table(output.recommendations, recommend(read_table(given.overall), read_table(given.runs)))


run(main, snakemake)  # noqa: F821
