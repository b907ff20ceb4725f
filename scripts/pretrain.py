"""Pretrain the small transformer."""

from medpeft.pipeline.stage import run


def main(snakemake):
    import torch
    from safetensors.torch import save_file

    from medpeft.base.files import replacing, sha256, write_json
    from medpeft.training.pretrain import pretrain

    torch.set_num_threads(1)
    state, facts = pretrain(snakemake.wildcards.backbone, snakemake.input.teacher, **snakemake.params.recipe)
    with replacing(snakemake.output.weights) as temporary:
        save_file(state, temporary)
    write_json(snakemake.output.facts, facts | {"sha256": sha256(snakemake.output.weights)})


run(main, snakemake)  # noqa: F821
