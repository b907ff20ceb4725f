"""Search the learning rate of one method on one backbone and dataset."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import write_json, write_table
    from medpeft.data.images import load_splits
    from medpeft.pipeline.provenance import unfinished
    from medpeft.training.classification import Recipe
    from medpeft.training.tune import tune

    search, recipe = dict(snakemake.params.search), Recipe(**snakemake.params.recipe)
    data = snakemake.input
    images = data.features[0] if data.features else data.images
    classes, parts = load_splits(images, data.manifest, data.split, data.subset, search["fraction"])
    identity = {"search": search, "recipe": snakemake.params.recipe, "of": list(snakemake.wildcards)}
    files = [images, data.manifest, data.split, data.subset, data.weights, *data.code]
    journal = unfinished(snakemake.output.trials, identity, files)
    table, best = tune(
        snakemake.wildcards.backbone,
        snakemake.wildcards.method,
        data.weights,
        len(classes),
        parts,
        recipe,
        search["trials"],
        (search["low"], search["high"]),
        search["seed"],
        journal,
    )
    write_table(snakemake.output.trials, table)
    write_json(snakemake.output.learning_rate, best)
    journal.unlink()


run(main, snakemake)  # noqa: F821
