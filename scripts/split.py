"""Split the images of one dataset into training, validation and test."""

import logging

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import check_checksum, read_table, sha256, write_checksum, write_table
    from medpeft.data import registry
    from medpeft.data.split import split

    settings, given = dict(snakemake.params.items()), None
    sizes = registry.load(snakemake.wildcards.dataset, settings.pop("declared")).sizes
    tables = (read_table(path) for path in (snakemake.input.manifest, snakemake.input.duplicates))
    for path in snakemake.input.given:
        check_checksum(path)
        given = read_table(path)
        logging.info("the split is that of %s, SHA-256 %s", path, sha256(path))
    write_table(snakemake.output.split, split(*tables, sizes=sizes, given=given, **settings))
    write_checksum(snakemake.output.split)


run(main, snakemake)  # noqa: F821
