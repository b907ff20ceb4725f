"""Fine-tune the U-Net of one diffusion pipeline with one method on one subset of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.pipeline.provenance import unfinished
    from medpeft.pipeline.record import Request, write_run
    from medpeft.training.captioned import load_captioned
    from medpeft.training.finetune_unet import TunedUnet, finetune_unet
    from medpeft.training.outcome import RunFiles
    from medpeft.training.unet import UnetRecipe

    asked, data, output = dict(snakemake.wildcards.items()), snakemake.input, snakemake.output
    asked["recipe"] = dict(snakemake.params.recipe)
    asked["learning_rate"] = snakemake.params.learning_rate
    tuned = TunedUnet(Path(data.pipeline), asked["method"])
    fraction, seed, pairs = float(asked["fraction"]), int(asked["seed"]), snakemake.params.training_pairs
    asked["training_pairs"] = pairs
    train, _ = load_captioned(data.moments, data.texts, data.captions, data.split, data.subset, fraction, pairs)
    # The first two list the hashes of the files beside them, which are gigabytes.
    sources = [data.hashes, tuned.diffusion_pipeline / "source.json", data.split, data.subset, *data.code]
    files = RunFiles(Path(output.adapter), unfinished(output.adapter, asked, sources))
    outcome = finetune_unet(tuned, train, UnetRecipe(**asked["recipe"]), asked["learning_rate"], seed, files)
    request = Request("text-to-image", asked, snakemake.params.study, snakemake.config, sources)
    write_run(dict(output.items()), request, outcome)
    files.checkpoint.unlink(missing_ok=True)
    return [files.exported] if files.exported.exists() else []


run(main, snakemake)  # noqa: F821
