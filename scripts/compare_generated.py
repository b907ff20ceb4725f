"""Compare the methods by the images that they generate."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, write_table
    from medpeft.base.runs import Run
    from medpeft.statistics.generated.compare_generated import compare_generated

    jackknives = {Run.of(file): read_table(file) for file in snakemake.input.jackknives}
    results = compare_generated(read_table(snakemake.input.runs), jackknives)
    for output, table in results._asdict().items():
        write_table(snakemake.output[output], table)


run(main, snakemake)  # noqa: F821
