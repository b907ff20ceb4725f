"""Score subgroups of test images."""

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    from medpeft.base.files import read_table, write_table
    from medpeft.data.attributes import read_attributes
    from medpeft.statistics.collect import chosen
    from medpeft.statistics.compare import reader
    from medpeft.statistics.populations.compare_subgroups import compare_subgroups, said
    from medpeft.statistics.populations.resampling import predicting

    files, params = snakemake.input, snakemake.params
    told = {name: read_attributes(path) for name, path in zip(params.asked, files.attributes, strict=True)}
    runs = chosen(read_table(files.runs), files.predictions)
    read, predicted = reader(files.predictions), predicting(files.validations, files.records)
    results = compare_subgroups(runs, lambda run: predicted(run, read(run)), told, params.asked, params.metrics)
    for output, table in results._asdict().items():
        write_table(snakemake.output[output], table)
    for sentence in said(results.gaps):
        tell(sentence)


run(main, snakemake)  # noqa: F821
