"""Fine-tune the U-Net of one pipeline with one method on one subset of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import write_json, write_table
    from medpeft.methods.registry import load
    from medpeft.pipeline.provenance import provenance, unfinished
    from medpeft.training.captioned import load_pairs
    from medpeft.training.finetune_unet import finetune_unet
    from medpeft.training.unet import UnetRecipe

    asked, data, output = dict(snakemake.wildcards.items()), snakemake.input, snakemake.output
    asked["recipe"] = dict(snakemake.params.recipe)
    asked["learning_rate"] = snakemake.params.learning_rate
    pipeline = Path(data.pipeline)
    train, _ = load_pairs(data.moments, data.texts, data.captions, data.split, data.subset, float(asked["fraction"]))
    # The first two list the hashes of the files beside them, which are gigabytes.
    sources = [data.hashes, pipeline / "source.json", data.split, data.subset, *data.code]
    checkpoint = unfinished(output.adapter, asked, sources)
    outcome = finetune_unet(
        pipeline,
        asked["method"],
        train,
        UnetRecipe(**asked["recipe"]),
        asked["learning_rate"],
        int(asked["seed"]),
        Path(output.adapter),
        checkpoint,
    )
    write_table(output.history, outcome.history)
    write_json(
        output.record,
        {
            "asked": asked,
            "study": snakemake.params.study,
            "method": load(asked["method"]).entry(),
            "task": "text-to-image",
            "n_train": len(train.rows),
            "cost": outcome.cost,
            "device": asked["recipe"]["device"],
            "provenance": provenance(snakemake.config, sources, [output.adapter, output.history]),
            "status": outcome.status,
        },
    )
    checkpoint.unlink(missing_ok=True)


run(main, snakemake)  # noqa: F821
