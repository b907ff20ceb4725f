"""Score one run on the test images."""

from medpeft.stage import run


def main(snakemake):
    from medpeft.evaluate import evaluate
    from medpeft.files import read_json, read_table, write_json

    predictions = read_table(snakemake.input.predictions)
    write_json(snakemake.output.metrics, evaluate(predictions, read_json(snakemake.input.record)))


run(main, snakemake)  # noqa: F821
