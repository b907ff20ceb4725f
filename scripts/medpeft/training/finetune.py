"""One run of a classifier: fine-tune it on one subset, keep the delta, predict the test images once with that."""

from dataclasses import replace

import pandas as pd
from safetensors.torch import load_file
from torch import nn

from medpeft.base.errors import RunFailed
from medpeft.data.images import Split
from medpeft.data.labels import UNKNOWN
from medpeft.methods.registry import load
from medpeft.networks.delta import load_delta, save_delta
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.memory import memory_errors, peak_memory
from medpeft.networks.models import count_parameters
from medpeft.training.classification import Classifier, Recipe, fit, predict
from medpeft.training.outcome import Cost, Outcome, RunFiles, costs, export, failed

IMAGE_COLUMNS = ["image_id", "cluster", "label"]  # what predictions say of an image beside its probabilities
OPTIONAL_COLUMNS = [UNKNOWN]  # of images that may have several labels


def finetune(
    classifier: Classifier,
    splits: dict[str, Split],
    recipe: Recipe,
    learning_rate: float | None,
    seed: int,
    files: RunFiles,
) -> Outcome:
    """Fine-tune on the split `train`, write the delta, and return the outcome on the split `test`.

    The predictions for `test`, and those for `validation`, on which thresholds and a temperature are chosen, are made
    by a new network with the delta read back from the file, so that what is published
    is what was scored. Where the method has an `export`, that network is exported to the folder `exported` beside the
    adapter. A run that fails (memory, a loss that is not finite, no learning rate) writes an empty adapter.

    Args:
        classifier: What is fine-tuned.
        splits: The images or features of `train`, `validation` and `test`.
        recipe: How to train.
        learning_rate: The one that the search found, or None where every trial failed.
        seed: Of the head, of new parameters, and of the order of the images and their crops.
        files: Where delta and checkpoint go.
    """
    fix_arithmetic(recipe.threads, recipe.device)
    method = load(classifier.method)
    before = peak_memory(recipe.device)
    files.clear()
    model, recipe = classifier.network(recipe, seed)
    n_train = len(splits["train"].labels)
    cost: Cost = {**count_parameters(model), "arithmetic": recipe.precision}
    try:
        if learning_rate is None:
            raise RunFailed("no learning rate of the search gave a finite loss")
        result = fit(model, splits, recipe, learning_rate, seed, files.checkpoint)
        memory = peak_memory(recipe.device) - before
        save_delta(files.adapter, result.best)
        with memory_errors():
            reloaded, _ = classifier.network(recipe, seed)
            load_delta(reloaded.to(recipe.device), load_file(files.adapter))
            tested, validated = (
                predictions(reloaded, splits[name], recipe, classifier.classes) for name in ("test", "validation")
            )
        export(reloaded, method, files)
    except RunFailed as failure:
        nothing = pd.DataFrame(columns=IMAGE_COLUMNS)
        return replace(failed(failure, n_train, cost, files), predictions=nothing, validation_predictions=nothing)
    cost |= costs(files, result, memory)
    history = pd.DataFrame(result.history)
    return Outcome(n_train, history, cost, predictions=tested, validation_predictions=validated)


def predictions(model: nn.Module, split: Split, recipe: Recipe, classes: list[str]) -> pd.DataFrame:
    """Return the rows of the images of `split`, with the probability that `model` gives each class."""
    logits = predict(model, split, recipe).double()
    probabilities = (logits.softmax(1) if split.labels.ndim == 1 else logits.sigmoid()).numpy()
    columns = {f"probability_{name}": probabilities[:, index] for index, name in enumerate(classes)}
    told = [*IMAGE_COLUMNS, *(column for column in OPTIONAL_COLUMNS if column in split.rows)]
    return split.rows[told].assign(**columns)
