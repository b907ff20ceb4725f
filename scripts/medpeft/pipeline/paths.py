"""Where the files of a study lie, relative to the working directory."""

from collections.abc import Callable
from pathlib import Path

from medpeft.artefacts.registry import Artefact
from medpeft.artefacts.tables.leakage import refuse_other_protocols
from medpeft.artefacts.tables.rate_fairness import refuse_alike_searches
from medpeft.base.errors import UserError
from medpeft.base.files import read_json
from medpeft.base.runs import Run
from medpeft.pipeline.study import Study


def sources(study: Study, artefact: Artefact) -> dict[str, str | list[str]]:
    """Return the files that an artefact of `study` is made of, by the names of its sources.

    See `medpeft.artefacts.sources.Sources`; published numbers, which lie with the project, and the primary metric are
    left out.
    """
    files = [name for name in artefact.sources if name != "primary"]
    return {name: FILES[name](study) if name in FILES else f"{_folder(study)}/{name}.csv" for name in files}


def refuse_unfit_counterpart(study: Study) -> None:
    """Refuse a counterpart that the table `leakage` or `rate_fairness` cannot compare the study with.

    Raises:
        UserError: The study names itself, or one that has not run, or one that is split or searched in the same way.
    """
    if not study.has("classification"):
        return
    if other := _other(study, "split", "protocol"):
        refuse_other_protocols([study.settings["split"]["protocol"], other["split"]["protocol"]])
    if other := _other(study, "tuning", "per_fraction"):
        refuse_alike_searches([study.settings["tuning"]["per_fraction"], other["tuning"].get("per_fraction", False)])
        _refuse_another_split(study, other["split"])


def _other(study: Study, group: str, key: str) -> dict | None:
    """Return what the records of the study that a `group` of keys names as its counterpart say of it.

    Raises:
        UserError: It is this study itself, which cannot differ from it in `key`, or it has not run.
    """
    name = study.settings[group]["counterpart"]
    if not name:
        return None
    wrong = f"the study's key {group}.counterpart names {name!r}"
    if name == study.name:
        raise UserError(f"{wrong}, which is the study itself: name one that differs in {group}.{key}")
    record, scores = _first_record(study, _counterpart(study, group)), f"{_counterpart(study, group)}/scores.csv"
    if not all(Path(file).is_file() for file in (record, scores)):
        raise UserError(f"{wrong}, which has no results here (there is no {scores} or no {record}): run it first")
    return dict(read_json(record)["study"])


def _refuse_another_split(study: Study, other: dict) -> None:
    """Refuse a counterpart with other test images, from which scores differ by more than the learning rate."""
    for key in ("protocol", "duplicates", "seed", "per_seed"):
        here, there = study.settings["split"][key], other.get(key, False)
        if here != there:
            raise UserError(
                f"this study has split.{key}: {here}, and that of its key tuning.counterpart has {there}: give them "
                "the same, so that their scores differ by the learning rate alone"
            )


def _folder(study: Study) -> str:
    return f"results/{study.name}"


def _counterpart(study: Study, group: str) -> str:
    return f"results/{study.settings[group]['counterpart']}"


def _of_runs(study: Study, runs: list[Run], file: str) -> list[str]:
    return [f"{_folder(study)}/runs/{run.path}/{file}" for run in runs]


def _searches(study: Study) -> list[str]:
    found = [f"{_folder(study)}/tuning/{search.path}" for search in study.searches()]
    return [f"{search}/{file}" for search in found for file in ("trials.csv", "learning_rate.json")]


def _first_record(study: Study, folder: str) -> str:
    """Return the record, in the `folder` of this study or of a counterpart, of the first run of this one."""
    return f"{folder}/runs/{study.runs(task='classification')[0].path}/record.json"


def _first_records(study: Study, group: str) -> list[str]:
    return [_first_record(study, folder) for folder in (_folder(study), _counterpart(study, group))]


# The sources that are not a CSV file of their name in the study's folder.
FILES: dict[str, Callable[[Study], str | list[str]]] = {
    "records": lambda study: _of_runs(
        study, study.runs(task="classification") + study.runs(task="text-to-image"), "record.json"
    ),
    "searches": _searches,
    "memorisations": lambda study: _of_runs(study, study.runs(task="text-to-image"), "memorisation.json"),
    "downstreams": lambda study: _of_runs(study, study.runs(task="text-to-image"), "downstream.csv"),
    "floors": lambda study: [
        f"{_folder(study)}/floors/{dataset}.csv" for dataset in study.values("dataset", task="classification")
    ],
    "other_scores": lambda study: f"{_counterpart(study, 'split')}/scores.csv",
    "splits": lambda study: _first_records(study, "split"),
    "rate_scores": lambda study: f"{_counterpart(study, 'tuning')}/scores.csv",
    "rates_per_fraction": lambda study: _first_records(study, "tuning"),
}
