"""Fine-tune one backbone with one method on one subset of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json, write_json, write_table
    from medpeft.data.images import load_splits
    from medpeft.methods.registry import load
    from medpeft.pipeline.provenance import provenance, unfinished
    from medpeft.training.classification import Recipe
    from medpeft.training.finetune import finetune

    asked, data, output = dict(snakemake.wildcards.items()), snakemake.input, snakemake.output
    asked["recipe"] = dict(snakemake.params.recipe)
    asked["learning_rate"] = read_json(data.learning_rate)["learning_rate"]
    images = data.features[0] if data.features else data.images
    classes, parts = load_splits(images, data.manifest, data.split, data.subset, float(asked["fraction"]))
    sources = [images, data.manifest, data.split, data.subset, data.weights, *data.code]
    checkpoint = unfinished(output.adapter, asked, sources)
    outcome = finetune(
        asked["backbone"],
        asked["method"],
        data.weights,
        classes,
        parts,
        Recipe(**asked["recipe"]),
        asked["learning_rate"],
        int(asked["seed"]),
        Path(output.adapter),
        checkpoint,
    )
    write_table(output.predictions, outcome.predictions)
    write_table(output.history, outcome.history)
    write_json(
        output.record,
        {
            "asked": asked,
            "study": snakemake.params.study,
            "method": load(asked["method"]).entry(),
            "n_train": len(parts["train"].labels),
            "cost": outcome.cost,
            "device": asked["recipe"]["device"],
            "provenance": provenance(
                snakemake.config,
                [*sources, data.learning_rate],
                [output.adapter, output.predictions, output.history],
            ),
            "status": outcome.status,
        },
    )
    checkpoint.unlink(missing_ok=True)


run(main, snakemake)  # noqa: F821
