"""Subgroups of images, and other datasets to test on, as a study asks for them: refused where they cannot be.

What is not known before the data are there, such as the values of a column, is refused by the job that reads them.
"""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from medpeft.base.errors import UserError
from medpeft.data import registry as datasets
from medpeft.data.dataset import Dataset
from medpeft.data.own.listed import COLUMNS

WRONG = "the study's configuration is wrong at"
TAKEN = {*COLUMNS, "image_id", "group_id", "source_file", "member"} - {"source"}  # names that no attribute may have


def check_attributes(own: dict[str, dict]) -> None:
    """Refuse attributes of a dataset of the user's own that no table tells, and names of columns that are not read.

    Args:
        own: The key `datasets` of a study, with the schema's defaults.
    """
    for name, declared in own.items():
        place, attributes = f"{WRONG} datasets.{name}", declared["attributes"]
        if attributes and not declared["table"]:
            raise UserError(
                f"{place}.attributes: they are columns of a table: name one under `table`, or take them out"
            )
        if taken := sorted(TAKEN.intersection(attributes)):
            raise UserError(f"{place}.attributes: {taken[0]!r} says which image it is: take it out")
        known = [*COLUMNS, *attributes]
        for column in declared["columns"]:
            if column not in known:
                raise UserError(f"{place}.columns: {_hint(column, known)}")


def check_subgroups(settings: dict, classified: Collection[str]) -> None:
    """Refuse subgroups of a dataset without runs, of a column that there is not, or of bands out of order.

    Args:
        settings: Of a study, with the schema's defaults.
        classified: The datasets on which it trains classifiers.
    """
    for name, columns in settings["subgroups"].items():
        place = f"{WRONG} subgroups.{name}"
        _refuse_without_runs(name, classified, place)
        known = datasets.load(name, settings["datasets"].get(name)).attributes
        if not known:
            raise UserError(f"{place}: no attribute of its images is known: take it out{_own(name, settings)}")
        for column, edges in columns.items():
            if column not in known:
                raise UserError(f"{place}: {_hint(column, known)}{_own(name, settings)}")
            if edges and sorted(set(edges)) != edges:
                raise UserError(f"{place}.{column}: the edges {edges} are not in order: write the smallest first")


def check_test_on(settings: dict, classified: Collection[str]) -> None:
    """Bring the key `test_on` into one form, and refuse datasets that runs cannot be tested on.

    Args:
        settings: Of a study, with the schema's defaults; a list of datasets becomes a mapping in place.
        classified: The datasets on which it trains classifiers.
    """
    asked, own = settings["test_on"], settings["datasets"]
    for name, given in asked.items():
        place = f"{WRONG} test_on.{name}"
        _refuse_without_runs(name, classified, place)
        renames = given if isinstance(given, dict) else {}
        others = asked[name] = {other: renames.get(other) or {} for other in given}
        first = datasets.load(name, own.get(name))
        for other, classes in others.items():
            if other == name:
                raise UserError(f"{place}: a run is tested on its own dataset anyway: name another one")
            known = [*datasets.names(), *own]
            if other not in known:
                raise UserError(f"{place}: {_hint(other, known)}")
            second = datasets.load(other, own.get(other))
            _refuse_other_classes(f"{place}.{other}", first.counts, second.counts, classes)
            _refuse_other_labels(f"{place}.{other}", first, second)


def check_shared_test_set(settings: dict) -> None:
    """Refuse subgroups and other datasets where each seed has test images of its own."""
    for key in ("subgroups", "test_on"):
        if settings[key] and settings["split"]["per_seed"]:
            raise UserError(
                f"{WRONG} {key}: it needs one split for all seeds: set split.per_seed to false, or leave it out"
            )


def renamed(labels: Iterable[str], classes: dict[str, str]) -> list[str]:
    """Return what the `labels` of another dataset are called in the one that was trained on."""
    return [classes.get(label, label) for label in labels]


def _refuse_without_runs(name: str, classified: Collection[str], place: str) -> None:
    if name not in classified:
        raise UserError(
            f"{place}: no classifier of this study is trained on {name!r}: there are {', '.join(classified)}"
        )


def _refuse_other_classes(place: str, first: Collection[str], second: Collection[str], classes: dict[str, str]) -> None:
    """Refuse another dataset whose classes, renamed by `classes`, are not those of the `first`."""
    for given in classes:
        if given not in second:
            raise UserError(f"{place}: {_hint(given, list(second), 'class')}")
    found = renamed(second, classes)
    strange = [label for label in second if classes.get(label, label) not in first]
    if strange:
        raise UserError(
            f"{place}: its class {strange[0]!r} is none of {', '.join(first)}: write what it is called there, as "
            f"`{{{strange[0]}: {next(iter(first))}}}`"
        )
    if lacking := [label for label in first if label not in found]:
        raise UserError(
            f"{place}: none of its classes is {lacking[0]!r}: a test on it needs all classes of the training"
        )


def _refuse_other_labels(place: str, first: Dataset, second: Dataset) -> None:
    """Refuse another dataset whose labels are of another kind, and images with several labels."""
    kinds = [first.labels, second.labels]
    if "multi-label" in kinds:
        raise UserError(f"{place}: images with several labels are not tested on another dataset: take it out")
    if kinds[0] != kinds[1]:
        raise UserError(
            f"{place}: its labels are {kinds[1]} where those of the training are {kinds[0]}: name another one"
        )


def _hint(given: str, known: Collection[str], thing: str = "name") -> str:
    close = get_close_matches(given, known, n=1)
    meant = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
    return f"there is no {thing} {given!r}: {meant}"


def _own(name: str, settings: dict) -> str:
    """Return how a sentence ends about a dataset of the user's own whose table may tell more."""
    return f"; its table's columns are named under datasets.{name}.attributes" if name in settings["datasets"] else ""
