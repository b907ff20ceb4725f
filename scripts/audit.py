"""Audit one dataset and its split."""

from pathlib import Path

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    import numpy as np
    import pandas as pd

    from medpeft.base.files import read_table, write_table
    from medpeft.data import registry
    from medpeft.data.audit import audit, leak, with_appearance, write_picture

    files, params, output = snakemake.input, snakemake.params, snakemake.output
    manifest, pairs, split = (read_table(path) for path in (files.manifest, files.duplicates, files.split))
    sizes = registry.load(snakemake.wildcards.dataset, params.declared).sizes
    losses = pd.concat(map(read_table, (files.losses, files.strangers)))
    table = audit(manifest, pairs, split, params.protocol, params.seed, sizes, losses)
    write_table(output.table, with_appearance(table, read_table(files.pixels), params.fit))
    if sentence := leak(table, params.protocol):
        tell(f"{snakemake.wildcards.dataset}: {sentence}")
    write_picture(Path(output.picture), np.load(files.images, mmap_mode="r"), manifest, pairs)


run(main, snakemake)  # noqa: F821
