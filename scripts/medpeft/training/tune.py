"""The search for a learning rate, on validation only, once per dataset, backbone and method."""

import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

from medpeft.base.errors import RunFailed
from medpeft.data.images import Split
from medpeft.methods.registry import load
from medpeft.networks.device import fix_arithmetic
from medpeft.training.classification import Recipe, fit, network

GRID_PER_DECADE = 2  # rates tried per factor of ten before TPE refines the search
DONE = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def tune(
    backbone: str,
    method: str,
    weights: Path,
    classes: int,
    parts: dict[str, Split],
    recipe: Recipe,
    trials: int,
    bounds: tuple[float, float],
    seed: int,
    journal: Path,
) -> tuple[pd.DataFrame, dict]:
    """Return the table of trials and the best rate with its validation score (both None where every trial failed).

    The first trials are an even grid on the logarithm of the rate within `bounds`, the others are drawn by TPE
    (Bergstra et al. 2011). A trial that is worse than the median at the same epoch is stopped. The `journal` file makes
    an interrupted search go on where it was, with the same result; the caller removes it.
    """
    fix_arithmetic(recipe.threads, recipe.device)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    grid = _grid(trials, *bounds)
    study = optuna.create_study(
        study_name="learning_rate",
        storage=JournalStorage(JournalFileBackend(str(journal))),
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=recipe.epochs // 3),
        load_if_exists=True,
    )

    def attempt(trial: Trial) -> dict:
        rate = trial.suggest_float("learning_rate", *bounds, log=True)
        model, settled = network(backbone, load(method), weights, classes, recipe, seed)
        train, validation = parts["train"], parts["validation"]
        return fit(model, train, validation, settled, rate, seed, on_validation=_pruning(trial)).best_row

    while (number := len(study.get_trials(deepcopy=False, states=DONE))) < trials:
        # A sampler of its own for each trial, and one that ignores the trial that a kill left unfinished: a resumed
        # search draws what an uninterrupted one would have drawn.
        study.sampler = optuna.samplers.TPESampler(seed=seed + number, n_startup_trials=0, constant_liar=False)
        if number < len(grid) and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            study.enqueue_trial({"learning_rate": float(grid[number])})
        _run_trial(study, attempt)
    return _table(study), _best(study)


def _grid(trials: int, low: float, high: float) -> np.ndarray:
    """Return the rates to begin with, even on the logarithm, both bounds included; a single one lies between them."""
    if trials == 1:
        return np.sqrt([low * high])
    points = 1 + math.ceil(GRID_PER_DECADE * math.log10(high / low))
    return np.geomspace(low, high, min(trials, points))


def _pruning(trial: Trial) -> Callable[[int, dict], None]:
    """Return a callback that reports each validation to Optuna and ends the trial where the pruner says so."""

    def report(epoch: int, row: dict) -> None:
        trial.report(row["validation_f1_micro"], epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return report


def _run_trial(study: optuna.Study, attempt: Callable[[Trial], dict]) -> None:
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
        study.tell(trial, row["validation_f1_micro"])


def _table(study: optuna.Study) -> pd.DataFrame:
    """Return one row a finished trial; the score of a pruned one is its last report."""
    rows = [
        {
            "trial": number,
            "learning_rate": trial.params["learning_rate"],
            "validation_score": trial.value,
            "validation_loss": trial.user_attrs.get("validation_loss"),
            "state": trial.state.name.lower(),
            "seconds": trial.duration.total_seconds(),
        }
        for number, trial in enumerate(study.get_trials(states=DONE))
    ]
    return pd.DataFrame(rows)


def _best(study: optuna.Study) -> dict:
    """Return the rate of the complete trial with the highest score, the lowest loss where several share it."""
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    if not complete:
        return {"learning_rate": None, "validation_score": None}
    best = max(complete, key=lambda trial: (trial.value, -trial.user_attrs["validation_loss"]))
    return {"learning_rate": best.params["learning_rate"], "validation_score": best.value}
