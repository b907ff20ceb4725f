"""Score one run on the test images."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json, read_table, write_json
    from medpeft.statistics.evaluate import evaluate

    given = snakemake.input
    predictions, validation = map(read_table, (given.predictions, given.validation_predictions))
    write_json(snakemake.output.metrics, evaluate(predictions, read_json(given.record), validation))


run(main, snakemake)  # noqa: F821
