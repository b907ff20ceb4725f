"""A dataset of the user's own as a study declares it, for the tests of what is read of it."""

import pandas as pd

from medpeft.data import registry
from medpeft.data.archives import Source
from medpeft.pipeline.study import Study

EXPERIMENT = {
    "datasets": ["chest"],
    "backbones": ["resnet50"],
    "methods": ["full"],
    "fractions": [1],
    "seeds": [0],
}


def declared(**keys) -> dict:
    """Return the complete declaration of a dataset `chest` in a study."""
    own = {"classes": ["sick", "well"]} | keys
    study = Study({"study": "s", "datasets": {"chest": own}, "experiments": {"any": EXPERIMENT}})
    return study.settings["datasets"]["chest"]


def index(source: Source, **keys) -> pd.DataFrame:
    """Return what the dataset finds in `source`; losses are those of `source`."""
    return registry.load("chest", declared(**keys)).index(source)


def lost(source: Source) -> dict[str, int]:
    """Return the losses of `source` by reason."""
    return dict(source.losses.table()[["reason", "count"]].itertuples(index=False))
