"""The predictions of one run for the images of another dataset."""

from pathlib import Path

import pandas as pd
from safetensors.torch import load_file

from medpeft.data.images import Split
from medpeft.networks.delta import load_delta
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.memory import memory_errors
from medpeft.training.classification import Classifier, Recipe
from medpeft.training.finetune import predictions


def external_predictions(
    classifier: Classifier, adapter: Path, split: Split, recipe: Recipe, seed: int
) -> pd.DataFrame:
    """Return the predictions of a finished run for the images of `split`, as those for its test images are made.

    Args:
        classifier: What was fine-tuned.
        adapter: The file of its delta.
        split: The external images or features; labels are the classes of the run.
        recipe: The one that it was trained by.
        seed: The one that it was trained with.
    """
    fix_arithmetic(recipe.threads, recipe.device)
    with memory_errors():
        model, recipe = classifier.network(recipe, seed)
        load_delta(model.to(recipe.device), load_file(adapter))
        return predictions(model, split, recipe, classifier.classes)
