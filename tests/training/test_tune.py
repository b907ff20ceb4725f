"""The search for a learning rate: what it tries, what it chooses, and its resumption after a kill."""

from dataclasses import replace

import numpy as np
import pytest

from medpeft.base.errors import RunFailed
from medpeft.training import tune as search
from medpeft.training.classification import Classifier, Fit

TUNING = search.Tuning(trials=7, low=1e-4, high=1e-2, fraction=1, epochs=None, seed=0)


@pytest.fixture
def landscape(monkeypatch):
    """Stand in for training: the score is highest at 1e-3, and every learning rate that was tried is noted."""
    tried = []

    def fit(model, splits, recipe, rate, seed, on_validation):
        tried.append(rate)
        score = 1 - abs(np.log10(rate) + 3) / 4
        for epoch in (1, 2):
            on_validation(epoch, {"validation_f1_micro": score})
        return Fit(micro_batch=8, history=[{"validation_f1_micro": score, "validation_loss": 1 - score}])

    monkeypatch.setattr(search, "fit", fit)
    monkeypatch.setattr(Classifier, "network", lambda classifier, recipe, seed: (None, recipe))
    return tried


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


def test_few_trials_span_the_bounds(landscape, recipe, tmp_path):
    _tune(recipe, tmp_path / "journal", trials=3)
    np.testing.assert_allclose(landscape, [1e-4, 1e-3, 1e-2])


def test_interrupted_search_ends_as_an_uninterrupted_one(landscape, recipe, tmp_path, monkeypatch):
    whole, best = _tune(recipe, tmp_path / "whole")
    rates, fit = list(landscape), search.fit
    landscape.clear()

    def killed(*arguments, **options):
        if len(landscape) == 5:
            raise KeyboardInterrupt
        return fit(*arguments, **options)

    monkeypatch.setattr(search, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        _tune(recipe, tmp_path / "killed")
    monkeypatch.setattr(search, "fit", fit)
    resumed, again = _tune(recipe, tmp_path / "killed")
    assert landscape == rates
    assert again == best
    assert resumed.drop(columns="seconds").equals(whole.drop(columns="seconds"))


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
