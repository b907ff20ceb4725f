"""Score every class with all training images, and tell what stands behind the scores."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json, read_table, write_table
    from medpeft.base.runs import Run
    from medpeft.data.labels import labels_in
    from medpeft.statistics.classwise import classwise
    from medpeft.statistics.compare import reader

    given = snakemake.input
    labels = {Run.of(path): labels_in(read_json(path)) for path in given.records}
    test, validation = reader(given.predictions), reader(given.validation_predictions)
    details = classwise(read_table(given.runs), test, validation, labels)
    for name, table in details._asdict().items():
        write_table(snakemake.output[name], table)


run(main, snakemake)  # noqa: F821
