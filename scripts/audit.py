"""Audit one dataset and its split."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np
    import pandas as pd

    from medpeft.base.files import read_table, write_table
    from medpeft.data import registry
    from medpeft.data.audit import audit, with_appearance, write_picture
    from medpeft.data.split import read_given, strangers

    files, params, output = snakemake.input, snakemake.params, snakemake.output
    manifest, pairs, split = (read_table(path) for path in (files.manifest, files.duplicates, files.split))
    sizes = registry.load(snakemake.wildcards.dataset, params.declared).sizes
    losses = [read_table(files.losses), *(strangers(read_given(Path(file)), manifest).table() for file in files.given)]
    table = audit(manifest, pairs, split, params.protocol, params.seed, sizes, pd.concat(losses))
    write_table(output.table, with_appearance(table, read_table(files.pixels), params.fit))
    write_picture(Path(output.picture), np.load(files.images, mmap_mode="r"), manifest, pairs)


run(main, snakemake)  # noqa: F821
