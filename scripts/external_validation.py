"""Compare the scores of runs on their own test set with those on other datasets."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, write_table
    from medpeft.base.runs import Run
    from medpeft.statistics.collect import chosen
    from medpeft.statistics.compare import reader
    from medpeft.statistics.populations.external_validation import external_validation
    from medpeft.statistics.populations.resampling import predicting

    files, params = snakemake.input, snakemake.params
    others = {(Run.of(Path(path).parents[1]), Path(path).parent.name): path for path in files.external}
    left_out = {
        tuple(pair): read_table(path)["external"].nunique()
        for pair, path in zip(params.pairs, files.overlaps, strict=True)
    }
    read, predicted = reader(files.predictions), predicting(files.validations, files.records)
    results = external_validation(
        chosen(read_table(files.runs), files.predictions),
        lambda run: predicted(run, read(run)),
        lambda run, other: predicted(run, read_table(others[run, other])),
        left_out,
        params.metrics,
    )
    for output, table in results._asdict().items():
        write_table(snakemake.output[output], table)


run(main, snakemake)  # noqa: F821
