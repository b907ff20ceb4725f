"""Appraise the small transformer's pre-trainings on one dataset, beside their teacher and no pre-training."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import torch

    from medpeft.base.files import write_table
    from medpeft.data.images import load_splits
    from medpeft.networks.models import architecture
    from medpeft.training.appraise import TEACHER, appraise, pretrained

    data = snakemake.input
    _, parts = load_splits(data.images, data.manifest, data.split, data.subset, 1)
    networks = {TEACHER: pretrained(TEACHER, data.teacher)}
    networks |= {Path(path).stem: pretrained(Path(path).stem, path) for path in data.weights}
    torch.manual_seed(0)
    networks["vit_mini_patch8_64, random"] = architecture("vit_mini_patch8_64")
    table = appraise(networks, parts, snakemake.params.size)
    write_table(snakemake.output[0], table.assign(dataset=snakemake.wildcards.dataset))


run(main, snakemake)  # noqa: F821
