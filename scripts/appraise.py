"""Appraise the small transformer's pre-trainings on one dataset, beside their teacher and no pre-training."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import write_table
    from medpeft.data.images import load_splits
    from medpeft.training.appraise import appraise, candidates

    data = snakemake.input
    _, splits = load_splits(data.images, data.manifest, data.split, data.subset, 1)
    networks = candidates(Path(data.teacher), list(map(Path, data.weights)))
    table = appraise(networks, splits, snakemake.params.size)
    write_table(snakemake.output[0], table.assign(dataset=snakemake.wildcards.dataset))


run(main, snakemake)  # noqa: F821
