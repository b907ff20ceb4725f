"""Score what knowing nothing of an image predicts."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, write_table
    from medpeft.data.labels import labels_in
    from medpeft.statistics.floor import floor

    given = snakemake.input
    rows = read_table(given.manifest).merge(read_table(given.split), on="image_id")
    labels = labels_in({"labels": snakemake.params.labels})
    table = floor(snakemake.wildcards.dataset, rows, labels)
    write_table(snakemake.output.floor, table)


run(main, snakemake)  # noqa: F821
