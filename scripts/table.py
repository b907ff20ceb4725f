"""Make one table, as numbers and for readers."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.artefacts.table import table

    files, sources = dict(snakemake.output.items()), dict(snakemake.input.items())
    if snakemake.params.primary:
        sources["primary"] = snakemake.params.primary
    del sources["code"]
    table(snakemake.wildcards.table, sources, files.pop("csv"), files, snakemake.params.titles)


run(main, snakemake)  # noqa: F821
