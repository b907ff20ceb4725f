"""Score every cell of the study and compare the methods."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, write_table
    from medpeft.statistics.compare import Question, compare, reader

    question = Question(**snakemake.params.question)
    results = compare(read_table(snakemake.input.runs), reader(snakemake.input.predictions), question)
    for output, table in results._asdict().items():
        write_table(snakemake.output[output], table)


run(main, snakemake)  # noqa: F821
