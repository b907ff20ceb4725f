"""Split the images of one dataset into training, validation and test."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, write_checksum, write_table
    from medpeft.data import registry
    from medpeft.data.split import read_given, split

    files, params, output = snakemake.input, snakemake.params, snakemake.output
    table = split(
        read_table(files.manifest),
        read_table(files.duplicates),
        params.protocol,
        params.duplicates,
        params.seed,
        registry.load(snakemake.wildcards.dataset, params.declared).sizes,
        read_given(Path(files.given[0])) if files.given else None,
    )
    write_table(output.split, table)
    write_checksum(output.split)


run(main, snakemake)  # noqa: F821
