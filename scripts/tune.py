"""Search the learning rate of one method on one backbone and dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    from medpeft.base.files import write_json, write_table
    from medpeft.data.images import load_splits
    from medpeft.data.subset import training_images
    from medpeft.pipeline.provenance import unfinished
    from medpeft.training.classification import Classifier, Recipe
    from medpeft.training.tune import Tuning, told, tune

    data, output, settings, asked = snakemake.input, snakemake.output, snakemake.params, snakemake.wildcards
    tuning = Tuning(**settings.search)
    images = data.features[0] if data.features else data.images
    tables = Path(data.manifest), Path(data.split), Path(data.subset)
    classes, splits = load_splits(images, *tables, tuning.share)
    recipe = Recipe(**settings.recipe)
    if tuning.of_run:
        recipe = recipe.as_long_as(training_images(*tables, tuning.of_run), len(splits["train"].labels))
    classifier = Classifier(asked.backbone, asked.method, Path(data.weights), classes)
    identity = {"search": dict(settings.search), "recipe": settings.recipe, "of": list(asked)}
    files = [images, data.manifest, data.labels, data.split, data.subset, data.weights, *data.code]
    journal = unfinished(output.trials, identity, files)
    trials, best = tune(classifier, splits, recipe, tuning, journal)
    write_table(output.trials, trials)
    evidence = told(trials, splits, recipe, len(classes))
    write_json(output.learning_rate, best | evidence)
    if evidence["blind"]:
        tell(
            f"the search for {', '.join(asked)} was blind: on {evidence['validation_images']} validation images its "
            f"best score, {best['validation_score']:.3f}, is no more than chance above {evidence['floor']:.3f}, that "
            "of always answering the most frequent class, or all its scores are equal: try longer trials, more "
            "images or other bounds"
        )
    journal.unlink()


run(main, snakemake)  # noqa: F821
