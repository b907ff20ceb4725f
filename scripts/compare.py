"""Score every cell of the study and compare the methods."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, write_table
    from medpeft.statistics.compare import compare

    predictions = {"/".join(Path(path).parts[-6:-1]): path for path in snakemake.input.predictions}
    results = compare(read_table(snakemake.input.runs), lambda name: read_table(predictions[name]))
    for output, table in results._asdict().items():
        write_table(snakemake.output[output], table)


run(main, snakemake)  # noqa: F821
