"""Audit one dataset and its split."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import read_table, write_table
    from medpeft.data import registry
    from medpeft.data.audit import audit, write_picture

    files, params, output = snakemake.input, snakemake.params, snakemake.output
    manifest, pairs, split = (read_table(path) for path in (files.manifest, files.duplicates, files.split))
    sizes = registry.load(snakemake.wildcards.dataset, params.declared).sizes
    write_table(output.table, audit(manifest, pairs, split, params.protocol, params.seed, sizes))
    write_picture(Path(output.picture), np.load(files.images, mmap_mode="r"), manifest, pairs)


run(main, snakemake)  # noqa: F821
