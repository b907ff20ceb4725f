"""Where the files of a study lie, relative to the working directory."""

from collections.abc import Callable
from pathlib import Path

from medpeft.artefacts.registry import Artefact
from medpeft.artefacts.tables.leakage import refuse_other_protocols
from medpeft.base.errors import UserError
from medpeft.base.files import read_json
from medpeft.base.runs import Run
from medpeft.pipeline.study import Study


def sources(study: Study, artefact: Artefact) -> dict[str, str | list[str]]:
    """Return the files that an artefact of `study` is made of, by the names of its sources.

    See `medpeft.artefacts.sources.Sources`; published numbers, which lie with the project, are left out.
    """
    return {name: FILES[name](study) if name in FILES else f"{_folder(study)}/{name}.csv" for name in artefact.sources}


def refuse_unfit_counterpart(study: Study) -> None:
    """Refuse a counterpart that the table `leakage` cannot compare the study with.

    Raises:
        UserError: The study names itself, or one that has not run, or one under the same protocol.
    """
    name = study.settings["split"]["counterpart"]
    if not name or not study.has("classification"):
        return
    wrong = f"the study's key split.counterpart names {name!r}"
    if name == study.name:
        raise UserError(f"{wrong}, which is the study itself: name one that differs in split.protocol")
    record, scores = _splits(study)[1], FILES["other_scores"](study)
    if not all(Path(str(file)).is_file() for file in (record, scores)):
        raise UserError(f"{wrong}, which has no results here (there is no {scores} or no {record}): run it first")
    refuse_other_protocols([study.settings["split"]["protocol"], read_json(record)["study"]["split"]["protocol"]])


def _folder(study: Study) -> str:
    return f"results/{study.name}"


def _counterpart(study: Study) -> str:
    return f"results/{study.settings['split']['counterpart']}"


def _of_runs(study: Study, runs: list[Run], file: str) -> list[str]:
    return [f"{_folder(study)}/runs/{run.path}/{file}" for run in runs]


def _searches(study: Study) -> list[str]:
    found = [f"{_folder(study)}/tuning/{search.path}" for search in study.searches()]
    return [f"{search}/{file}" for search in found for file in ("trials.csv", "learning_rate.json")]


def _splits(study: Study) -> list[str]:
    first = study.runs(task="classification")[0].path
    return [f"{folder}/runs/{first}/record.json" for folder in (_folder(study), _counterpart(study))]


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
    "other_scores": lambda study: f"{_counterpart(study)}/scores.csv",
    "splits": _splits,
}
