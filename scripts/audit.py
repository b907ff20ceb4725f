"""Audit one dataset and its split."""

from medpeft.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.audit import audit, picture
    from medpeft.datasets import registry
    from medpeft.files import read_table, replacing, write_table

    files, settings = snakemake.input, dict(snakemake.params.items())
    manifest, pairs, split = (read_table(path) for path in (files.manifest, files.duplicates, files.split))
    sizes = registry.load(snakemake.wildcards.dataset, settings.pop("own")).sizes
    write_table(snakemake.output.table, audit(manifest, pairs, split, sizes=sizes, **settings))
    figure = picture(np.load(files.images, mmap_mode="r"), manifest, pairs)
    with replacing(snakemake.output.picture) as temporary:
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


run(main, snakemake)  # noqa: F821
