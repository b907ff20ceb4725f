"""The search for a learning rate: what it tries, what it chooses, and its resumption after a kill."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from medpeft.base.errors import RunFailed, UserError
from medpeft.training import tune as search
from medpeft.training.classification import Classifier, Fit

TUNING = search.Tuning(trials=7, low=1e-4, high=1e-2, fraction=1, epochs=None, seed=0)


@pytest.fixture
def landscape(monkeypatch):
    """Stand in for training: the score is highest at 1e-3, and every learning rate that was tried is noted."""
    tried = []
    stand_in(monkeypatch.setattr, tried)
    return tried


def stand_in(replace_by, tried):
    """Let `replace_by` (as `setattr`) put the stand-in in the place of training; it adds learning rates to `tried`."""

    def fit(model, splits, recipe, rate, seed, on_validation):
        tried.append(rate)
        score = 1 - abs(np.log10(rate) + 3) / 4
        for epoch in (1, 2):
            on_validation(epoch, {"validation_f1_micro": score})
        return Fit(micro_batch=8, history=[{"validation_f1_micro": score, "validation_loss": 1 - score}])

    replace_by(search, "fit", fit)
    replace_by(Classifier, "network", lambda classifier, recipe, seed: (None, recipe))


def _tune(recipe, path, trials=7):
    classifier = Classifier("net", "ssf", None, ["class0", "class1", "class2"])
    return search.tune(classifier, {}, recipe, replace(TUNING, trials=trials), path)


def test_begins_with_two_rates_a_decade_and_finds_the_best(landscape, recipe, tmp_path):
    table, best = _tune(recipe, tmp_path / "journal")
    np.testing.assert_allclose(landscape[:5], np.geomspace(1e-4, 1e-2, 5))
    assert len(landscape) == len(table) == 7
    assert all(TUNING.low <= rate <= TUNING.high for rate in landscape)
    complete = table[table["state"] == "complete"]
    assert best["validation_score"] == complete["validation_score"].max() == pytest.approx(1, abs=0.05)


def test_where_less_is_better_the_lowest_score_is_the_best(landscape, recipe, tmp_path, monkeypatch):
    better = search.fit

    def fit(*arguments, on_validation):
        found = better(
            *arguments, lambda epoch, row: on_validation(epoch, {"validation_brier": row["validation_f1_micro"]})
        )
        row = found.history[0]
        row["validation_brier"] = row.pop("validation_f1_micro")
        return Fit(micro_batch=8, history=[row], primary_metric="brier")

    monkeypatch.setattr(search, "fit", fit)
    table, best = _tune(replace(recipe, primary_metric="brier"), tmp_path / "journal", trials=5)
    complete = table[table["state"] == "complete"]
    assert best["validation_score"] == complete["validation_score"].min() == pytest.approx(0.75)  # at either end
    assert "pruned" in set(table["state"])


def test_few_trials_span_the_bounds(landscape, recipe, tmp_path):
    _tune(recipe, tmp_path / "journal", trials=3)
    np.testing.assert_allclose(landscape, [1e-4, 1e-3, 1e-2])


# A search that is killed in its sixth trial, after the trial was drawn and before it has a score.
KILLED = """
import os, sys
from pathlib import Path
from types import SimpleNamespace
import test_tune

recipe = SimpleNamespace(epochs=2, threads=1, device="cpu", chooses="validation_f1_micro", direction="maximize")
tried = []
test_tune.stand_in(setattr, tried)
fit = test_tune.search.fit

def killed(*arguments, **options):
    if len(tried) == 5:
        os.kill(os.getpid(), 9)
    return fit(*arguments, **options)

test_tune.search.fit = killed
test_tune._tune(recipe, Path(sys.argv[1]))
"""


def _killed(journal) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", KILLED, journal], env=environment, check=False)
    assert result.returncode == -signal.SIGKILL


@pytest.mark.parametrize("torn", [b"", b'{"op_code":4,"worker_id":"x"', b'{"op_code":4,"trial_id":5}'])
def test_a_killed_search_ends_as_an_uninterrupted_one(landscape, recipe, tmp_path, torn):
    """Whatever part of the next line of the journal was on the disk when it was killed."""
    whole, best = _tune(recipe, tmp_path / "whole")
    rates = list(landscape)
    landscape.clear()
    _killed(tmp_path / "killed")
    with open(tmp_path / "killed", "ab") as stream:
        stream.write(torn)
    resumed, again = _tune(recipe, tmp_path / "killed")
    assert landscape == rates[5:]
    assert again == best
    assert resumed.drop(columns="seconds").equals(whole.drop(columns="seconds"))


def _grid_twice(study):
    """Two writers, of which each began with the grid."""
    study.enqueue_trial({"learning_rate": 1e-3})
    study.enqueue_trial({"learning_rate": 1e-3})


def _another_rate(study):
    study.enqueue_trial({"learning_rate": 0.0012345})


def _drawn_twice(study):
    """Two writers, which both drew the trial after the grid."""
    study.enqueue_trial({"learning_rate": study.trials[-1].params["learning_rate"]})


def _add_trial(journal, enqueue, rates) -> None:
    """Write to `journal` the first trials of a search, then one of another writer."""
    study = search._opened(journal, 2)
    for rate in rates:
        study.enqueue_trial({"learning_rate": float(rate)})
        trial = study.ask()
        study.tell(trial, 1 - abs(np.log10(search._suggested(trial, TUNING)) + 3) / 4)
    enqueue(study)
    trial = study.ask()
    study.tell(trial, search._suggested(trial, TUNING))


@pytest.mark.parametrize(
    ("enqueue", "before"), [(_grid_twice, 2), (_another_rate, 0), (_another_rate, 6), (_drawn_twice, 6)]
)
def test_a_search_in_which_two_have_written_begins_anew(landscape, recipe, tmp_path, caplog, enqueue, before):
    whole, best = _tune(recipe, tmp_path / "whole")
    rates = list(landscape)
    landscape.clear()
    _add_trial(tmp_path / "journal", enqueue, rates[:before])
    found, again = _tune(recipe, tmp_path / "journal")
    assert "has trials that one search would not have made: the search starts again" in caplog.text
    assert landscape == rates
    assert again == best
    assert found["learning_rate"].equals(whole["learning_rate"])


def test_a_search_that_was_killed_before_it_began_with_what_it_planned_goes_on(landscape, recipe, tmp_path, caplog):
    study = search._opened(tmp_path / "journal", 2)
    study.enqueue_trial({"learning_rate": float(search._grid(TUNING)[0])})
    _tune(recipe, tmp_path / "journal", trials=3)
    np.testing.assert_allclose(landscape, [1e-4, 1e-3, 1e-2])
    assert not caplog.text


def test_a_journal_that_is_none_begins_anew(landscape, recipe, tmp_path, caplog):
    (tmp_path / "journal").write_text("[\n{}\n")
    table, _ = _tune(recipe, tmp_path / "journal")
    assert len(table) == len(landscape) == 7
    assert "the search starts again" in caplog.text


@pytest.mark.parametrize("at", [2, 6])
def test_a_search_into_which_another_one_writes_has_no_result(landscape, recipe, tmp_path, monkeypatch, at):
    fit = search.fit

    def disturbed(*arguments, **options):
        if len(landscape) == at:
            study = search._opened(tmp_path / "journal", 2)
            study.enqueue_trial({"learning_rate": 5e-3})
            trial = study.ask()
            study.tell(trial, search._suggested(trial, TUNING))
        return fit(*arguments, **options)

    monkeypatch.setattr(search, "fit", disturbed)
    with pytest.raises(UserError, match="journal has trials that one search would not have made: another process"):
        _tune(recipe, tmp_path / "journal")


def test_failing_trials_are_kept_and_passed_over(landscape, recipe, tmp_path, monkeypatch):
    fit = search.fit

    def fragile(model, splits, recipe, rate, *rest, **options):
        if rate > 2e-3:
            raise RunFailed("the loss was not finite")
        return fit(model, splits, recipe, rate, *rest, **options)

    monkeypatch.setattr(search, "fit", fragile)
    table, best = _tune(recipe, tmp_path / "journal", trials=5)
    assert list(table["state"]).count("fail") == 2
    assert best["learning_rate"] == pytest.approx(1e-3)


def test_search_in_which_nothing_works_has_no_rate(landscape, recipe, tmp_path, monkeypatch):
    def hopeless(*_, **__):
        raise RunFailed("out of memory")

    monkeypatch.setattr(search, "fit", hopeless)
    table, best = _tune(recipe, tmp_path / "journal", trials=2)
    assert set(table["state"]) == {"fail"}
    assert best == {"learning_rate": None, "validation_score": None}


@pytest.mark.slow
def test_search_trains_real_networks(lite0, splits, recipe, tmp_path):
    classifier = Classifier("efficientnet_lite0", "ssf", lite0, ["class0", "class1", "class2"])
    tuning, recipe = replace(TUNING, trials=2), replace(recipe, epochs=1)
    table, best = search.tune(classifier, splits, recipe, tuning, tmp_path / "journal")
    assert len(table) == 2
    assert best["learning_rate"] in set(table["learning_rate"])
