"""Where the files of a study lie, relative to the working directory."""

from collections.abc import Callable

from medpeft.artefacts.registry import Artefact
from medpeft.base.runs import Run
from medpeft.pipeline.study import Study


def sources(study: Study, artefact: Artefact) -> dict[str, str | list[str]]:
    """Return the files that an artefact of `study` is made of, by the names of its sources.

    See `medpeft.artefacts.sources.Sources`; published numbers, which lie with the project, are left out.
    """
    return {name: FILES[name](study) if name in FILES else f"{_folder(study)}/{name}.csv" for name in artefact.sources}


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
    "other_scores": lambda study: f"{_counterpart(study)}/scores.csv",
    "splits": _splits,
}
