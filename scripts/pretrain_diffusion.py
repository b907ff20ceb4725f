"""Pretrain the small latent diffusion model."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, sha256, write_json
    from medpeft.generation.pretrain_diffusion import PretrainingRecipe, pretrain_diffusion
    from medpeft.pipeline.provenance import unfinished

    data, folder, recipe = snakemake.input, Path(snakemake.output.model), snakemake.params.recipe
    sources = [data.images, data.manifest, data.judge, *data.code]
    facts = pretrain_diffusion(
        data.images,
        read_table(data.manifest),
        data.judge,
        PretrainingRecipe(**recipe, threads=snakemake.threads),
        folder,
        unfinished(folder, recipe, sources),
    )
    hashes = {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*.safetensors"))}
    write_json(folder / "pretraining.json", facts | {"images_sha256": sha256(data.images), "sha256": hashes})


run(main, snakemake)  # noqa: F821
