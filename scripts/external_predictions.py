"""Test one run on another dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import pandas as pd

    from medpeft.base.files import read_json, read_table, write_table
    from medpeft.data.images import load_rows
    from medpeft.statistics.scoring.predictions import class_probabilities
    from medpeft.training.classification import Classifier, Recipe
    from medpeft.training.external_predictions import external_predictions
    from medpeft.training.finetune import IMAGE_COLUMNS

    asked, data = snakemake.wildcards, snakemake.input
    if read_json(data.record)["status"] != "ok":
        write_table(snakemake.output.predictions, pd.DataFrame(columns=IMAGE_COLUMNS))
        return
    classes, _ = class_probabilities(read_table(data.predictions))
    classifier = Classifier(asked.backbone, asked.method, Path(data.weights), classes)
    images = data.features[0] if data.features else data.images
    split = load_rows(Path(images), read_table(data.external), classes)
    recipe = Recipe(**snakemake.params.recipe)
    write_table(
        snakemake.output.predictions,
        external_predictions(classifier, Path(data.adapter), split, recipe, int(asked.seed)),
    )


run(main, snakemake)  # noqa: F821
