"""Audit one dataset and its split."""

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import read_table, replacing, write_table
    from medpeft.data import registry
    from medpeft.data.audit import audit, picture

    files, settings = snakemake.input, dict(snakemake.params.items())
    manifest, pairs, split = (read_table(path) for path in (files.manifest, files.duplicates, files.split))
    sizes = registry.load(snakemake.wildcards.dataset, settings.pop("declared")).sizes
    write_table(snakemake.output.table, audit(manifest, pairs, split, sizes=sizes, **settings))
    figure = picture(np.load(files.images, mmap_mode="r"), manifest, pairs)
    with replacing(snakemake.output.picture) as temporary:
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


run(main, snakemake)  # noqa: F821
