"""A counterpart that the table `leakage` cannot compare a study with is refused before anything runs."""

import copy

import pytest

from medpeft.base.errors import UserError
from medpeft.base.files import write_json
from medpeft.pipeline.paths import refuse_unfit_counterpart
from medpeft.pipeline.study import Study

GRID = {"datasets": ["busi"], "backbones": ["resnet50"], "methods": ["full"], "fractions": [1], "seeds": [0]}


def _study(**split) -> Study:
    return Study({"study": "own", "split": split, "experiments": {"x": copy.deepcopy(GRID)}})


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A function that lets a study `other` under a protocol have run here."""
    monkeypatch.chdir(tmp_path)

    def make(protocol: str) -> None:
        folder = tmp_path / "results/other/runs/busi/resnet50/full/1/0"
        folder.mkdir(parents=True)
        write_json(folder / "record.json", {"study": {"split": {"protocol": protocol}}})
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
