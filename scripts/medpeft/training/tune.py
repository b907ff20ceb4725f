"""The search for a learning rate, on validation only: see `medpeft.base.runs.Search` for how many there are."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState

from medpeft.base.errors import RunFailed, UserError
from medpeft.base.files import drop_torn_line
from medpeft.data.images import Split
from medpeft.networks.device import fix_arithmetic
from medpeft.statistics.registry import metric
from medpeft.statistics.searches import is_blind
from medpeft.training.classification import Classifier, Direction, OnValidation, Recipe, fit, score_of
from medpeft.training.losses import shares_of_classes

GRID_PER_DECADE = 2  # learning rates tried per factor of ten before TPE refines the search
DONE = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class Tuning:
    """How to search; the study schema describes each field under `tuning`."""

    trials: int
    low: float
    high: float
    fraction: float
    epochs: int | None
    seed: int
    of_run: float | None = None  # the fraction of the runs that the search is for, where it is for those of one alone

    @property
    def share(self) -> float:
        """The share of all training images that a trial uses."""
        return self.fraction * (self.of_run or 1)


def tune(
    classifier: Classifier, splits: dict[str, Split], recipe: Recipe, tuning: Tuning, journal: Path
) -> tuple[pd.DataFrame, dict[str, float | None]]:
    """Return the table of trials, and the best learning rate with its validation score.

    The first trials are an even grid on the logarithm of the learning rate within the bounds; TPE draws the others. A
    trial that is worse than the median at the same epoch is stopped.

    Args:
        classifier: What is fine-tuned in each trial.
        splits: The images or features of `train`, cut to `tuning.share`, and of `validation`.
        recipe: How to train in a trial, for `tuning.epochs` epochs where the search has its own number.
        tuning: How to search.
        journal: A file from which an interrupted search goes on, with the same result. The caller removes it.

    Returns:
        One row a trial; learning_rate and validation_score, both None where every trial failed.

    Raises:
        UserError: The journal has trials that one search would not have made.

    Source:
        Bergstra et al. 2011, for TPE.
    """
    fix_arithmetic(recipe.threads, recipe.device)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    grid = _grid(tuning)
    study = _begun(journal, recipe, tuning)

    def attempt(trial: Trial) -> dict[str, float]:
        rate = _suggested(trial, tuning)
        model, settled = classifier.network(recipe, tuning.seed)
        return fit(model, splits, settled, rate, tuning.seed, on_validation=_pruning(trial, recipe.chooses)).best_row

    while (number := len(study.get_trials(deepcopy=False, states=DONE))) < tuning.trials:
        study.sampler = _sampler(tuning, number)
        if number < len(grid) and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            study.enqueue_trial({"learning_rate": float(grid[number])})
        _run_trial(study, attempt, recipe.chooses)
    if not _is_one_search(study, tuning):
        raise UserError(
            f"{journal} has trials that one search would not have made: another process wrote there; see to it that "
            "nothing else does, delete the file, and run again"
        )
    return _table(study), _best(study)


def told(
    trials: pd.DataFrame, splits: dict[str, Split], recipe: Recipe, classes: int
) -> dict[str, float | int | bool | None]:
    """Return what the choice of a search rests on: validation_images, floor, blind.

    Args:
        trials: The table of its trials.
        splits: The images or features of `train` and `validation`.
        recipe: Its primary metric is what the scores are of.
        classes: How many there are.

    Returns:
        The number of images that chose; the score of always answering with the shares of the classes among the training
        images, so that the most frequent one is predicted; and whether the search was blind (see
        `medpeft.statistics.searches.is_blind`). A search without a score has no floor.
    """
    validated, scores = splits["validation"].labels, trials["validation_score"].astype(float)
    if scores.isna().all():
        return {"validation_images": len(validated), "floor": None, "blind": False}
    constant = shares_of_classes(splits["train"].labels, classes)
    logits = (constant.log() if validated.ndim == 1 else constant.logit()).expand(len(validated), -1)
    floor, sign = score_of(recipe.primary_metric, logits, validated), metric(recipe.primary_metric).sign
    blind = is_blind(sign * scores, sign * floor, len(validated))
    return {"validation_images": len(validated), "floor": floor, "blind": blind}


def _begun(journal: Path, recipe: Recipe, tuning: Tuning) -> optuna.Study:
    """Return the search in the file `journal`, or a new one where what is there cannot be one search."""
    drop_torn_line(journal)
    try:
        study = _opened(journal, recipe.epochs, recipe.direction)
        if _is_one_search(study, tuning):
            return study
    except ValueError as error:
        logging.warning("%s: %s", journal, error)
    logging.warning("%s has trials that one search would not have made: the search starts again", journal)
    journal.unlink()
    return _opened(journal, recipe.epochs, recipe.direction)


def _opened(journal: Path, epochs: int, direction: Direction = "maximize") -> optuna.Study:
    return optuna.create_study(
        study_name="learning_rate",
        storage=JournalStorage(JournalFileBackend(str(journal))),
        direction=direction,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=epochs // 3),
        load_if_exists=True,
    )


def _is_one_search(study: optuna.Study, tuning: Tuning) -> bool:
    """Tell whether every finished trial has the learning rate that the search draws after those before it.

    A trial of the grid that waits was put there by a search that was killed before it began with it.
    """
    finished, grid = study.get_trials(states=DONE), _grid(tuning)
    again = optuna.create_study(direction=study.direction)
    for number, trial in enumerate(finished):
        again.sampler = _sampler(tuning, number)
        drawn = grid[number] if number < len(grid) else _suggested(again.ask(), tuning)
        if trial.params.get("learning_rate") != drawn:
            return False
        again.add_trial(trial)
    waiting = [trial.system_attrs["fixed_params"] for trial in study.get_trials(states=(TrialState.WAITING,))]
    next_of_grid = [{"learning_rate": rate} for rate in grid[len(finished) :][:1]]
    return len(finished) <= tuning.trials and waiting in ([], next_of_grid)


def _sampler(tuning: Tuning, number: int) -> optuna.samplers.TPESampler:
    """Return a sampler for one trial alone, which ignores trials that a kill left unfinished.

    So a resumed search draws what an uninterrupted one would have drawn.
    """
    return optuna.samplers.TPESampler(seed=tuning.seed + number, n_startup_trials=0, constant_liar=False)


def _suggested(trial: Trial, tuning: Tuning) -> float:
    return trial.suggest_float("learning_rate", tuning.low, tuning.high, log=True)


def _grid(tuning: Tuning) -> np.ndarray:
    """Return the learning rates to begin with, even on the logarithm, with both bounds; a single one lies between."""
    low, high = tuning.low, tuning.high
    if tuning.trials == 1:
        return np.sqrt([low * high])
    points = 1 + math.ceil(GRID_PER_DECADE * math.log10(high / low))
    return np.geomspace(low, high, min(tuning.trials, points))


def _pruning(trial: Trial, chooses: str) -> OnValidation:
    """Return a callback that reports each validation to Optuna and ends the trial where the pruner says so."""

    def report(epoch: int, row: dict[str, float]) -> None:
        trial.report(row[chooses], epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return report


def _run_trial(study: optuna.Study, attempt: Callable[[Trial], dict[str, float]], chooses: str) -> None:
    trial = study.ask()
    try:
        row = attempt(trial)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except RunFailed as failure:
        logging.warning("trial %d: %s", trial.number, failure)
        study.tell(trial, state=TrialState.FAIL)
    else:
        trial.set_user_attr("validation_loss", row["validation_loss"])
        study.tell(trial, row[chooses])


def _table(study: optuna.Study) -> pd.DataFrame:
    """Return one row a finished trial; the score of a pruned one is its last report."""
    rows = [
        {
            "trial": number,
            "learning_rate": trial.params["learning_rate"],
            "validation_score": trial.value,
            "validation_loss": trial.user_attrs.get("validation_loss"),
            "state": trial.state.name.lower(),
            "seconds": trial.duration.total_seconds() if trial.duration else None,
        }
        for number, trial in enumerate(study.get_trials(states=DONE))
    ]
    return pd.DataFrame(rows)


def _best(study: optuna.Study) -> dict[str, float | None]:
    """Return the learning rate of the complete trial with the best score, the lowest loss where several share it."""
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    if not complete:
        return {"learning_rate": None, "validation_score": None}
    sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
    best = max(complete, key=lambda trial: (sign * (trial.value or 0), -trial.user_attrs["validation_loss"]))
    return {"learning_rate": best.params["learning_rate"], "validation_score": best.value}
