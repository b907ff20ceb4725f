"""The ROC curve of every class, with all training images."""

import pandas as pd
from matplotlib.figure import Figure as Drawing

from medpeft.artefacts.parts.details import class_lines
from medpeft.artefacts.registry import Figure
from medpeft.artefacts.sources import Sources

CAPTION = (
    "ROC curves of each class against all others, averaged over seeds: full fine-tuning and the best other method. "
    "Dotted: chance."
)
FIGURE = Figure(CAPTION, "details", 5, ("curves", "per_class", "primary"), requires=("classification",), narrow=(1, 55))


def make(sources: Sources) -> tuple[pd.DataFrame, Drawing]:
    """The ROC curve of every class, with all training images; the numbers are those of all methods."""
    return class_lines(sources, "roc", ("1 \N{MINUS SIGN} specificity", "Sensitivity"))
