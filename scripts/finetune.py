"""Fine-tune one backbone with one method on one subset of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json
    from medpeft.data.images import load_splits
    from medpeft.data.labels import labels_beside
    from medpeft.pipeline.provenance import unfinished
    from medpeft.pipeline.record import Request, write_run
    from medpeft.training.classification import Classifier, Recipe
    from medpeft.training.finetune import finetune
    from medpeft.training.outcome import RunFiles

    asked, data, output = dict(snakemake.wildcards.items()), snakemake.input, snakemake.output
    asked["recipe"] = dict(snakemake.params.recipe)
    asked["learning_rate"] = read_json(data.learning_rate)["learning_rate"]
    images = data.features[0] if data.features else data.images
    classes, splits = load_splits(images, data.manifest, data.split, data.subset, float(asked["fraction"]))
    sources = [images, data.manifest, data.labels, data.split, data.subset, data.weights, *data.code]
    files = RunFiles(Path(output.adapter), unfinished(output.adapter, asked, sources))
    classifier = Classifier(asked["backbone"], asked["method"], Path(data.weights), classes)
    recipe, seed = Recipe(**asked["recipe"]), int(asked["seed"])
    outcome = finetune(classifier, splits, recipe, asked["learning_rate"], seed, files)
    sources.append(data.learning_rate)
    labels = labels_beside(data.manifest)
    request = Request("classification", asked, snakemake.params.study, snakemake.config, sources, labels)
    write_run(dict(output.items()), request, outcome)
    files.checkpoint.unlink(missing_ok=True)
    return [files.exported] if files.exported.exists() else []


run(main, snakemake)  # noqa: F821
