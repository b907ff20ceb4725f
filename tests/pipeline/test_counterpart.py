"""A counterpart that a table cannot compare a study with is refused before anything runs."""

import copy

import pytest

from medpeft.base.errors import UserError
from medpeft.base.files import write_json
from medpeft.pipeline.paths import refuse_unfit_counterpart
from medpeft.pipeline.study import Study

GRID = {"datasets": ["busi"], "backbones": ["resnet50"], "methods": ["full"], "fractions": [1], "seeds": [0]}


def _study(**split) -> Study:
    return Study({"study": "own", "split": split, "experiments": {"x": copy.deepcopy(GRID)}})


def _searched(**tuning) -> Study:
    return Study({"study": "own", "tuning": tuning, "experiments": {"x": copy.deepcopy(GRID)}})


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A function that lets a study `other`, of a protocol and kind of search, have run here."""
    monkeypatch.chdir(tmp_path)

    def make(protocol: str, seed: int = 0, **tuning: bool) -> None:
        folder = tmp_path / "results/other/runs/busi/resnet50/full/1/0"
        folder.mkdir(parents=True)
        split = {"protocol": protocol, "duplicates": "report", "seed": seed}
        write_json(folder / "record.json", {"study": {"split": split, "tuning": tuning}})
        (tmp_path / "results/other/scores.csv").touch()

    return make


def test_one_under_the_other_protocol_is_taken(other):
    other("paper")
    refuse_unfit_counterpart(_study(counterpart="other"))
    refuse_unfit_counterpart(_study())


@pytest.mark.parametrize(
    ("protocol", "name", "sentence"),
    [
        ("grouped", "other", "split by grouped and grouped, where one must be grouped and one paper"),
        ("paper", "nobody", "has no results here .*: run it first"),
        ("paper", "own", "is the study itself"),
    ],
)
def test_another_is_refused(other, protocol, name, sentence):
    other(protocol)
    with pytest.raises(UserError, match=sentence):
        refuse_unfit_counterpart(_study(counterpart=name))


def test_it_decides_no_run():
    """To name one once retrained the study."""
    with_one, without = _study(counterpart="other"), _study()
    assert with_one.decisive_split("busi") == without.decisive_split("busi")


@pytest.mark.parametrize(
    ("here", "there"), [(True, {}), (True, {"per_fraction": False}), (False, {"per_fraction": True})]
)
def test_one_that_is_searched_otherwise_is_taken(other, here, there):
    """A record of before there were searches per fraction says nothing of them."""
    other("grouped", **there)
    refuse_unfit_counterpart(_searched(counterpart="other", per_fraction=here))


@pytest.mark.parametrize(
    ("tuning", "seed", "sentence"),
    [
        ({"counterpart": "other"}, 0, "both have tuning.per_fraction: false, where one must have true and one false"),
        ({"counterpart": "nobody", "per_fraction": True}, 0, "tuning.counterpart names 'nobody', which has no results"),
        ({"counterpart": "own", "per_fraction": True}, 0, "itself: name one that differs in tuning.per_fraction"),
        ({"counterpart": "other", "per_fraction": True}, 7, "this study has split.seed: 0, and that of .* has 7: give"),
    ],
)
def test_one_that_is_searched_alike_or_split_otherwise_is_refused(other, tuning, seed, sentence):
    other("grouped", seed)
    with pytest.raises(UserError, match=sentence):
        refuse_unfit_counterpart(_searched(**tuning))


def test_it_decides_no_search():
    with_one, without = _searched(counterpart="other"), _searched()
    assert with_one.tuning() == without.tuning()
    assert with_one.decisive_tuning == without.decisive_tuning
