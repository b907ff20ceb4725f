"""Score one run on the test images."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json, read_table, write_json
    from medpeft.statistics.evaluate import evaluate

    predictions = read_table(snakemake.input.predictions)
    write_json(snakemake.output.metrics, evaluate(predictions, read_json(snakemake.input.record)))


run(main, snakemake)  # noqa: F821
