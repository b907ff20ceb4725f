"""Groups and other datasets that a study cannot have are refused before anything runs."""

from types import SimpleNamespace

import pytest
from tiny import STUDY

from medpeft.base.errors import UserError
from medpeft.pipeline import populations
from medpeft.pipeline.study import Study

OWN = {"classes": ["benign", "malignant", "normal"], "table": "t.csv", "attributes": ["sex", "age"]}
GRID = {"backbones": ["efficientnet_lite0"], "methods": ["full"], "fractions": [0.5, 1], "seeds": [0, 1]}


def study(own=OWN, trained=("busi", "mine"), **keys) -> Study:
    grids = {"any": GRID | {"datasets": list(trained)}}
    return Study({"study": "s", "datasets": {"mine": own}, "experiments": grids} | keys)


@pytest.mark.parametrize(
    ("subgroups", "said"),
    [
        ({"busi": {"sex": None}}, r"subgroups\.busi: no attribute of its images is known"),
        ({"mine": {"gender": None}}, r"subgroups\.mine: there is no name 'gender': there are sex, age; its table's"),
        ({"mine": {"Age": None}}, "did you mean 'age'"),
        ({"mine": {"age": [0, 40, 40]}}, r"subgroups\.mine\.age: the edges \[0, 40, 40\] are not in order"),
        ({"mine": {"age": [40, 0]}}, "are not in order"),
        ({"mine": {"age": [40]}}, r"subgroups\.mine\.age"),
        ({"ham10000": {"sex": None}}, "no classifier of this study is trained on 'ham10000': there are busi, mine"),
    ],
)
def test_groups_that_cannot_be_are_refused(subgroups, said):
    with pytest.raises(UserError, match=said):
        study(subgroups=subgroups)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"table": None}, r"datasets\.mine\.attributes: they are columns of a table"),
        ({"attributes": ["label"]}, "'label' says which image it is"),
        ({"columns": {"pth": "file"}}, r"datasets\.mine\.columns: there is no name 'pth': did you mean 'path'"),
        ({"columns": {"sex": 3}}, r"datasets\.mine\.columns\.sex"),
    ],
)
def test_attributes_that_cannot_be_are_refused(own, said):
    with pytest.raises(UserError, match=said):
        study(OWN | own)


@pytest.mark.parametrize(
    ("test_on", "said"),
    [
        ({"busi": ["nowhere"]}, r"test_on\.busi: there is no name 'nowhere'"),
        ({"busi": ["busi"]}, "a run is tested on its own dataset anyway"),
        ({"ham10000": ["busi"]}, "no classifier of this study is trained on 'ham10000'"),
        ({"busi": ["ham10000"]}, r"test_on\.busi\.ham10000: its class 'akiec' is none of benign, malignant, normal"),
        ({"busi": {"mine": {"tumour": "malignant"}}}, r"there is no class 'tumour': there are benign, malignant"),
        ({"busi": {"mine": {"normal": "benign"}}}, r"none of its classes is 'normal'"),
    ],
)
def test_other_datasets_that_do_not_fit_are_refused(test_on, said):
    with pytest.raises(UserError, match=said):
        study(test_on=test_on)


def test_another_dataset_may_call_its_classes_otherwise():
    own = OWN | {"classes": ["harmless", "malignant", "healthy"]}
    names = {"harmless": "benign", "healthy": "normal"}
    asked = study(own, trained=["busi"], test_on={"busi": {"mine": names}})
    assert asked.settings["test_on"] == {"busi": {"mine": names}}
    with pytest.raises(UserError, match=r"its class 'harmless' is none of .*: write what it is called there"):
        study(own, trained=["busi"], test_on={"busi": ["mine"]})


def test_a_list_of_datasets_is_a_mapping_without_other_names():
    assert study(test_on={"busi": ["mine"]}).settings["test_on"] == {"busi": {"mine": {}}}


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (("ordinal", "multi-class"), "its labels are multi-class where those of the training are ordinal"),
        (("multi-label", "multi-label"), "images with several labels are not tested on another dataset"),
    ],
)
def test_labels_of_another_kind_are_refused(kinds, said, monkeypatch):
    loaded = {name: SimpleNamespace(labels=kind, counts={"a": 1}) for name, kind in zip("xy", kinds, strict=True)}
    monkeypatch.setattr(populations, "datasets", SimpleNamespace(names=list, load=lambda name, own: loaded[name]))
    settings = {"test_on": {"x": ["y"]}, "datasets": {"x": {}, "y": {}}}
    with pytest.raises(UserError, match=said):
        populations.check_test_on(settings, ["x"])


def test_diffusion_pipelines_alone_train_no_classifier():
    only = {"table4": STUDY["experiments"]["table4"]}
    with pytest.raises(UserError, match="no classifier of this study is trained on 'busi'"):
        Study(STUDY | {"experiments": only, "test_on": {"busi": ["ham10000"]}})
